/**
 * The runtime: a container's record becomes a running task under its shim, and a task is found
 * again after a restart. Everything in the kernel carries the container's id, so that what a crash
 * left behind can be found and removed.
 */
import * as fs from 'node:fs';
import { basename } from 'node:path';
import { systemError } from '../../api-spec/errors.js';
import type { Ulimit } from '../../api-spec/index.js';
import { ErrnoError } from '../../native/errno-error.js';
import {
  connect,
  dropShim,
  launch,
  type Launching,
  type Shim,
  type StartedShim,
  startShim,
} from '../../native/shim/client.js';
import type { AttachLimits, LogSettings } from '../../native/shim/monitor-settings.js';
import type { RuntimeNeed, TaskRequest } from '../containers/needs.js';
import type { ContainerRecord } from '../containers/record.js';
import { bundlePaths, configText, prepareBundle, writeConfig, type BundlePaths } from './bundle.js';
import { openCgroups, type Cgroups, type ContainerCgroup } from './cgroup/index.js';
import { checkRecord } from './check.js';
import { compileLaunch, CREATED } from './compile.js';
import { containerTask, endShim, readExit, toTaskExit } from './container-task.js';
import { createExec, recoverExecs } from './exec.js';
import { rememberBasis } from './exec-basis.js';
import { readHostFacts, type HostFacts } from './host-facts.js';
import { launchFailure } from './launch-error.js';
import { encodedLaunch, type EncodedLaunch } from './launch-template.js';
import { lookUpBlockDevices, lookUpDevices, lookUpUser } from './lookup.js';
import type { OciConfig } from './oci.js';
import { seccompFilter } from './seccomp/compile.js';
import { ociConfig } from './spec.js';
import { hasOwn } from './spec/namespaces.js';
import { rlimitNumber } from './spec/rlimits.js';
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
  readonly defaultUlimits: readonly Ulimit[];
  /** Where and how the shim writes a container's log. */
  readonly log: (record: ContainerRecord) => LogSettings;
  readonly attach: AttachLimits;
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
  readonly parent: string;
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
    cgroups: openCgroups(host.cgroups),
    parent: `/tsdocker-${options.rootId}`,
  };
  const cgroup = (record: ContainerRecord): ContainerCgroup =>
    context.cgroups.open(cgroupsPath(context, record));
  return {
    host,
    cgroupVersion: host.cgroups.version,
    userOf: (record, rootfs) => lookUpUser(record, rootfs),
    cgroup,
    update: (record, changed) => updateLimits(cgroup(record), record.hostConfig, changed),
    exec: (request) => createExec({ ...context, cgroup }, request),
    recoverExecs: (live) => recoverExecs(context, live),
    check: (record) => checkRecord(record, context),
    create: (request) => create(context, request),
    adopt: (record) => adopt(context, record),
    sweep: (known) => sweep(context, known),
  };
}

function cgroupsPath(context: Context, record: ContainerRecord): string {
  const given = record.hostConfig.CgroupParent ?? '';
  const parts = (given === '' ? context.parent : given)
    .split('/')
    .filter((part) => part !== '' && part !== '.' && part !== '..');
  return `/${[...parts, record.id].join('/')}`;
}

async function create(context: Context, request: TaskRequest): Promise<Task> {
  const { record } = request;
  request.signal.throwIfAborted();
  const paths = bundlePaths(context.dataRoot, context.execRoot, record.id);
  // The shim is executed while its program is compiled.
  const started = startShim(
    basename(paths.socket), request.sandbox.reservations.map(({ fd }) => fd));
  const { config, cgroup } = await groundwork(context, request, paths).catch(
    async (error: unknown) => {
      await dropShim(started);
      throw error;
    },
  );
  try {
    const launching = await launchTask(context, request, {
      config, text: configText(config), cgroup, paths, started,
    });
    const { pid: shimPid } = await started;
    const task = containerTask({
      containerId: record.id, pid: launching.pid, shimPid, shim: launching.shim, cgroup, paths,
      open: () => launching.open(),
    });
    rememberBasis(task, config);
    return task;
  } catch (error) {
    await cgroup.kill().then(() => cgroup.remove());
    throw launchFailure(error);
  }
}

/** Everything that the launch program speaks of and that is not the shim's to make. */
async function groundwork(context: Context, request: TaskRequest, paths: BundlePaths) {
  const config = await configOf(context, request);
  prepareBundle(paths);
  const cgroup = context.cgroups.create(config.linux.cgroupsPath, config.linux.resources);
  return { config, cgroup };
}

async function configOf(context: Context, request: TaskRequest): Promise<OciConfig> {
  const { record } = request;
  const [devices, blockDevices] = await Promise.all([
    lookUpDevices(record.hostConfig),
    lookUpBlockDevices(record.hostConfig),
  ]);
  return ociConfig({
    request,
    host: context.host,
    user: lookUpUser(record, request.rootfs),
    devices: devices.devices,
    deviceRules: devices.rules,
    blockDevices,
    defaultUlimits: context.defaultUlimits,
    cgroupsPath: cgroupsPath(context, record),
  });
}

interface Prepared {
  readonly config: OciConfig;
  /** The same as JSON. */
  readonly text: string;
  readonly cgroup: ContainerCgroup;
  readonly paths: BundlePaths;
  readonly started: Promise<StartedShim>;
}

async function launchTask(
  context: Context,
  request: TaskRequest,
  prepared: Prepared,
): Promise<Launching> {
  const { config, text, paths, started } = prepared;
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
      return undefined;
    },
  });
  // For readers and foreign runtimes: it is written while the shim is at work.
  started.then(() => writeConfig(paths, text)).catch((error: unknown) => {
    context.warn(`config.json of ${request.record.id} is not written`, error);
  });
  return launching;
}

/** What the configuration asks for and this machine does not let the daemon do. */
function passedOver(config: OciConfig, host: HostFacts): readonly string[] {
  const { oomScoreAdj = 0, rlimits } = config.process;
  const messages: string[] = [];
  if (oomScoreAdj < 0 && !host.capabilities.has('CAP_SYS_RESOURCE')) {
    messages.push('without CAP_SYS_RESOURCE oom_score_adj cannot be lowered: passed over');
  }
  const isOver = ({ type, hard }: OciConfig['process']['rlimits'][number]): boolean => {
    const ceiling = host.hardLimits?.get(rlimitNumber(type)) ?? -1;
    return ceiling >= 0 && (hard < 0 || hard > ceiling);
  };
  if (rlimits.some(isOver)) {
    messages.push('without CAP_SYS_RESOURCE hard limits cannot be raised: the daemon\'s own hold');
  }
  return messages;
}

/** What cannot be compiled takes the shim that waits for it along. */
async function compiledOrDropped(
  context: Context,
  request: TaskRequest,
  prepared: Prepared,
): Promise<EncodedLaunch> {
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
  { config, text, cgroup, paths }: Prepared,
): EncodedLaunch {
  const { seccomp } = config.linux;
  const plan = {
    containerId: record.id,
    bundle: paths.bundle,
    rootfs,
    cgroup: cgroup.entry,
    stdin: record.config.OpenStdin ?? false,
    stdinOnce: record.config.StdinOnce ?? false,
    hasKcore: host.hasKcore,
  };
  return encodedLaunch(record.id, `${text}${JSON.stringify(plan)}`, () =>
    compileLaunch(config, {
      ...plan,
      ...(seccomp === undefined ? {} : { seccomp: seccompFilter(seccomp) }),
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
  compiled: EncodedLaunch,
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
  const cgroup = context.cgroups.open(cgroupsPath(context, record));
  const shim = await connectIfThere(paths.socket);
  if (shim === undefined) return adoptDead(paths, cgroup);
  const hello = await shim.hello();
  if (!hello.started && hello.exit === undefined) {
    // The gate was never opened: nothing of the container has run, and nothing is to run now.
    await endShim(shim);
    return adoptDead(paths, cgroup);
  }
  const task = containerTask({
    containerId: record.id, pid: hello.pid, shimPid: hello.shimPid, shim, cgroup, paths,
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
): Promise<{ exit: TaskExit } | undefined> {
  await cgroup.kill();
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
  const groups = await context.cgroups.sweep(context.parent, known);
  return [...removed, ...groups.map((id) => `cgroup ${id}`)];
}

async function endUnknown(socket: string): Promise<void> {
  const shim = await connectIfThere(socket);
  if (shim !== undefined) await endShim(shim);
  fs.rmSync(socket, { force: true });
}
