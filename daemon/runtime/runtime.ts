/**
 * The runtime: a container's record becomes a running task under its shim, and a task is found
 * again after a restart. Everything in the kernel carries the container's id, so that what a crash
 * left behind can be found and removed.
 */
import * as fs from 'node:fs';
import { basename } from 'node:path';
import { invalidParameter, systemError } from '../../api-spec/errors.js';
import type { Ulimit } from '../../api-spec/index.js';
import { ErrnoError } from '../../native/errno-error.js';
import {
  connect, dropShim, launch, startShim, type Launching, type Shim, type StartedShim,
} from '../../native/shim/client.js';
import type { AttachLimits, LogSettings } from '../../native/shim/monitor-settings.js';
import type { RuntimeNeed, TaskRequest } from '../containers/needs.js';
import type { ContainerRecord } from '../containers/record.js';
import { DEFAULT_PROFILE, ensureDefaultProfile } from './apparmor.js';
import { bundlePaths, configText, prepareBundle, writeConfig, type BundlePaths } from './bundle.js';
import { openCgroups, type Cgroups, type ContainerCgroup } from './cgroup/index.js';
import { cdiEdits, withCdiEdits } from './cdi/inject.js';
import { checkRecord } from './check.js';
import { compileLaunch, CREATED, type CompiledLaunch } from './compile.js';
import { containerTask, endShim, readExit, toTaskExit } from './container-task.js';
import { recoverExecs, runExec } from './exec.js';
import { rememberBasis } from './exec-basis.js';
import { groupPlaces, type CgroupDriver, type GroupPlaces } from './group-places.js';
import { readHostFacts, type HostFacts } from './host-facts.js';
import { ownRuntimes } from '../own-runtimes.js';
import {
  foreignContainer, sweepForeign, type ForeignContainer, type ForeignRuntime,
} from './foreign/container.js';
import { innerHooks, onCreatedHooks } from './hooks.js';
import { launchFailure } from './launch-error.js';
import { passedOver } from './passed-over.js';
import { encodedLaunch, type EncodedLaunch } from './launch-template.js';
import { lookUpBlockDevices, lookUpDevices, lookUpUser } from './lookup.js';
import type { OciConfig, OciIdMappings } from './oci.js';
import { installedFilter } from './seccomp/flags.js';
import { ociConfig, type SecurityDefaults } from './spec.js';
import { hasOwn } from './spec/namespaces.js';
import type { Task, TaskExit } from './task.js';
import { updateLimits } from './update.js';

/** What the runtime is told at start. */
export interface RuntimeOptions {
  /** Absolute; `containers/<id>` below it are the bundles. */
  readonly dataRoot: string;
  /** Absolute; `s` below it holds the shims' sockets. */
  readonly execRoot: string;
  /** First 8 hex of the data root's digest: the cgroup parent is `tsdocker-<rootId>`. */
  readonly rootId: string;
  /** `cgroupfs` by default. */
  readonly cgroupDriver?: CgroupDriver;
  readonly defaultUlimits: readonly Ulimit[];
  readonly security: SecurityDefaults;
  /** Folders with descriptions of devices; none: there is no such driver. */
  readonly cdiSpecDirs: readonly string[];
  /** Whose ids containers have on the host, unless they share the host's user namespace. */
  readonly remap?: OciIdMappings;
  /** Where and how the shim writes a container's log. */
  readonly log: (record: ContainerRecord) => LogSettings;
  readonly attach: AttachLimits;
  /** Other runtimes, by the names that containers choose them by. */
  readonly runtimes: Readonly<Record<string, ForeignRuntime>>;
  /** Tells an operator what does not concern any one request. */
  readonly warn: (message: string, cause?: unknown) => void;
  /** For tests; read from this machine otherwise. */
  readonly host?: HostFacts;
}

/**
 * What other services ask of the runtime beyond `RuntimeNeed`: limits and figures of live tasks.
 */
export interface Runtime extends RuntimeNeed {
  /** The control group of a container, live or not. */
  cgroup(record: ContainerRecord): ContainerCgroup;
  readonly cgroupVersion: 1 | 2;
  readonly host: HostFacts;
}

interface Context extends RuntimeOptions {
  readonly host: HostFacts;
  readonly cgroups: Cgroups;
  readonly places: GroupPlaces;
  readonly warnOnce: (message: string) => void;
}

/** Reads the machine once. Throws when it has no cgroups. */
export function createRuntime(options: RuntimeOptions): Runtime {
  const host = options.host ?? readHostFacts();
  const told = new Set<string>();
  const context: Context = {
    ...options,
    warnOnce: (message) => {
      if (!told.has(message)) options.warn(message);
      told.add(message);
    },
    host,
    cgroups: openCgroups(host.cgroups, options.cgroupDriver),
    places: groupPlaces(options.cgroupDriver ?? 'cgroupfs', options.rootId),
  };
  const cgroup = (record: ContainerRecord): ContainerCgroup =>
    context.cgroups.open(context.places.pathOf(record));
  return {
    host,
    cgroupVersion: host.cgroups.version,
    userOf: (record, rootfs) => lookUpUser(record, rootfs),
    idMapsOf: ({ hostConfig }) => (hostConfig.UsernsMode === 'host' ? undefined : options.remap),
    cgroup,
    update: (record, changed) => updateLimits(cgroup(record), record.hostConfig, changed),
    exec: (request) => runExec({ ...context, cgroup }, request),
    recoverExecs: (live) => recoverExecs(context, live),
    check: (record) => {
      context.places.pathOf(record);
      return checkRecord(record, context);
    },
    create: (request) => create(context, request),
    adopt: (record) => adopt(context, record),
    sweep: (known) => sweep(context, known),
  };
}

/** Undefined for one of our own, and for a runtime that the daemon knows no more. */
function foreignOf(
  { runtimes, execRoot }: Context,
  { id, hostConfig }: ContainerRecord,
  paths: BundlePaths,
): ForeignContainer | undefined {
  const name = hostConfig.Runtime ?? '';
  const runtime = Object.hasOwn(runtimes, name) ? runtimes[name] : undefined;
  return runtime === undefined
    ? undefined
    : foreignContainer(name, runtime, { id, execRoot, paths });
}

async function create(context: Context, request: TaskRequest): Promise<Task> {
  const { record } = request;
  request.signal.throwIfAborted();
  const paths = bundlePaths(context.dataRoot, context.execRoot, record.id);
  const foreign = foreignOf(context, record, paths);
  const name = record.hostConfig.Runtime ?? '';
  if (foreign === undefined && name !== '' && !ownRuntimes.includes(name)) {
    throw invalidParameter(`unknown or invalid runtime name: ${name}`);
  }
  // The shim is executed while its program is compiled.
  const started = startShim(
    basename(paths.socket), request.sandbox.reservations.map(({ fd }) => fd));
  const { config, cgroup } = await groundwork(context, request, paths, foreign).catch(
    async (error: unknown) => {
      await dropShim(started);
      throw error;
    },
  );
  try {
    const launching = await launchTask(context, request, {
      config, text: configText(config), cgroup, paths, foreign, started,
    });
    await cgroup.settled();
    const { pid: shimPid } = await started;
    const task = containerTask({
      containerId: record.id, pid: launching.pid, shimPid, shim: launching.shim, cgroup, paths,
      foreign, open: () => launching.open(),
    });
    rememberBasis(task, config);
    return task;
  } catch (error) {
    await cgroup.kill();
    await foreign?.remove();
    await cgroup.remove();
    throw foreign === undefined ? launchFailure(error) : foreign.failure(error);
  }
}

/** Everything that the launch program speaks of and that is not the shim's to make. */
async function groundwork(
  context: Context,
  request: TaskRequest,
  paths: BundlePaths,
  foreign: ForeignContainer | undefined,
) {
  const own = await configOf(context, request);
  const config = foreign?.config(own) ?? own;
  const { apparmorParser } = context.host;
  if (config.process.apparmorProfile === DEFAULT_PROFILE && apparmorParser !== undefined) {
    await ensureDefaultProfile(apparmorParser);
  }
  prepareBundle(paths);
  const cgroup = await context.cgroups.create(config.linux.cgroupsPath, config.linux.resources);
  return { config, cgroup };
}

async function configOf(context: Context, request: TaskRequest): Promise<OciConfig> {
  const { record } = request;
  const { cdiSpecDirs: dirs, warnOnce: warn } = context;
  const edits = cdiEdits({ dirs, warn }, record.hostConfig);
  const [devices, blockDevices] = await Promise.all([
    lookUpDevices(record.hostConfig),
    lookUpBlockDevices(record.hostConfig),
  ]);
  const config = ociConfig({
    request,
    host: context.host,
    user: lookUpUser(record, request.rootfs),
    devices: devices.devices,
    deviceRules: devices.rules,
    blockDevices,
    defaultUlimits: context.defaultUlimits,
    security: context.security,
    ...(context.remap === undefined ? {} : { remap: context.remap }),
    cgroupsPath: context.places.pathOf(record),
  });
  return withCdiEdits(config, edits);
}

interface Prepared {
  readonly config: OciConfig;
  /** The same as JSON. */
  readonly text: string;
  readonly cgroup: ContainerCgroup;
  readonly paths: BundlePaths;
  readonly foreign: ForeignContainer | undefined;
  readonly started: Promise<StartedShim>;
}

async function launchTask(
  context: Context,
  request: TaskRequest,
  prepared: Prepared,
): Promise<Launching> {
  const { config, text, paths, foreign, started } = prepared;
  const shown = readable(request, config, text);
  if (foreign !== undefined) writeConfig(paths, text);
  else if (config.hooks !== undefined) writeConfig(paths, shown);
  const compiled = await compiledOrDropped(context, request, prepared);
  for (const message of passedOver(config, context.host)) context.warnOnce(message);
  const launching = launch({
    started,
    program: compiled.program,
    monitor: monitorOf(context, request, prepared, compiled),
    held: request.sandbox.reservations,
    signal: request.signal,
    onYield: async (token, pid) => {
      if (token !== CREATED) throw systemError(`the shim asks for ${token}, which nobody knows`);
      await request.onCreated(pid);
      // Another runtime runs them itself.
      const hooked = { id: request.record.id, config, paths };
      if (foreign === undefined) await onCreatedHooks(hooked, pid);
      return undefined;
    },
  });
  // For readers and foreign runtimes: it is written while the shim is at work.
  started.then(() => writeConfig(paths, shown)).catch((error: unknown) => {
    context.warn(`config.json of ${request.record.id} is not written`, error);
  });
  return launching;
}

/** What may be read of a configuration: all but variables that nobody but the process may see. */
function readable({ hiddenEnv = [] }: TaskRequest, config: OciConfig, text: string): string {
  if (hiddenEnv.length === 0) return text;
  const env = config.process.env.filter((entry) => !hiddenEnv.includes(entry));
  return configText({ ...config, process: { ...config.process, env } });
}

type AnyLaunch = CompiledLaunch | EncodedLaunch;

/** What cannot be compiled takes the shim that waits for it along. */
async function compiledOrDropped(
  context: Context,
  request: TaskRequest,
  prepared: Prepared,
): Promise<AnyLaunch> {
  try {
    return compile(context, request, prepared);
  } catch (error) {
    await dropShim(prepared.started);
    throw error;
  }
}

function compile(
  { host }: Context,
  { record, rootfs }: TaskRequest,
  { config, text, cgroup, paths, foreign }: Prepared,
): AnyLaunch {
  const { seccomp } = config.linux;
  const plan = {
    containerId: record.id,
    bundle: paths.bundle,
    rootfs,
    mapsRootfs: true,
    cgroup: cgroup.entry,
    stdin: record.config.OpenStdin ?? false,
    stdinOnce: record.config.StdinOnce ?? false,
    hasKcore: host.hasKcore,
  };
  if (foreign !== undefined) return foreign.compile(config, plan);
  return encodedLaunch(record.id, `${text}${JSON.stringify(plan)}`, () =>
    compileLaunch(config, {
      ...plan,
      ...innerHooks(config, paths),
      ...(seccomp === undefined ? {} : { seccomp: installedFilter(seccomp) }),
      ...(host.hardLimits === undefined ? {} : { hardLimits: host.hardLimits }),
    }),
  );
}

/** How long output is read after the first process has ended while others hold its pipes. */
const DRAIN_MS = 2000;

function monitorOf(
  context: Context,
  { record }: TaskRequest,
  { config, cgroup, paths }: Prepared,
  compiled: AnyLaunch,
): Parameters<typeof launch>[0]['monitor'] {
  const ownPids = hasOwn(config.linux.namespaces, 'pid');
  return {
    socketPath: paths.socket,
    exitPath: paths.exit,
    stdio: compiled.stdio,
    log: context.log(record),
    attach: context.attach,
    drainMs: DRAIN_MS,
    oomFiles: cgroup.oomFiles,
    killAtExit: ownPids ? [] : cgroup.killFiles,
    rootDir: compiled.rootDir,
    keep: [],
  };
}

async function adopt(
  context: Context,
  record: ContainerRecord,
): Promise<{ task: Task } | { exit: TaskExit } | undefined> {
  const paths = bundlePaths(context.dataRoot, context.execRoot, record.id);
  const cgroup = context.cgroups.open(context.places.pathOf(record));
  const foreign = foreignOf(context, record, paths);
  const shim = await connectIfThere(paths.socket);
  if (shim === undefined) return adoptDead(paths, cgroup, foreign);
  const hello = await shim.hello();
  if (!hello.started && hello.exit === undefined) {
    // The gate was never opened: nothing of the container has run, and nothing is to run now.
    await endShim(shim);
    return adoptDead(paths, cgroup, foreign);
  }
  const task = containerTask({
    containerId: record.id, pid: hello.pid, shimPid: hello.shimPid, shim, cgroup, paths, foreign,
  });
  if (hello.exit === undefined) return { task };
  await task.dispose();
  return { exit: toTaskExit(hello.exit) };
}

/** Undefined when there is no such shim. */
async function connectIfThere(socket: string): Promise<Shim | undefined> {
  try {
    return await connect(socket);
  } catch (error) {
    if (error instanceof ErrnoError && ['ENOENT', 'ECONNREFUSED'].includes(error.code)) {
      return undefined;
    }
    throw error;
  }
}

async function adoptDead(
  paths: BundlePaths,
  cgroup: ContainerCgroup,
  foreign: ForeignContainer | undefined,
): Promise<{ exit: TaskExit } | undefined> {
  await cgroup.kill();
  await foreign?.remove();
  await cgroup.remove();
  fs.rmSync(paths.socket, { force: true });
  const status = await readExit(paths.exit);
  return status === undefined ? undefined : { exit: toTaskExit(status) };
}

async function sweep(context: Context, known: ReadonlySet<string>): Promise<readonly string[]> {
  const names = new Set([...known].map((id) => bundlePaths('', '', id).socket.slice('/s/'.length)));
  const folder = `${context.execRoot}/s`;
  const sockets = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  const removed: string[] = [];
  for (const name of sockets.filter((each) => !names.has(each))) {
    await endUnknown(`${folder}/${name}`);
    removed.push(`shim ${name}`);
  }
  await sweepForeign(context.runtimes, context.execRoot, known);
  const { parent, nameOf } = context.places;
  const groups = await context.cgroups.sweep(parent, new Set([...known].map(nameOf)));
  return [...removed, ...groups.map((id) => `cgroup ${id}`)];
}

async function endUnknown(socket: string): Promise<void> {
  const shim = await connectIfThere(socket);
  if (shim !== undefined) await endShim(shim);
  fs.rmSync(socket, { force: true });
}
