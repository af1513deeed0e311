/**
 * The runtime: a container's record becomes a running task under its shim, and a task is found
 * again after a restart. Everything in the kernel carries the container's id, so that what a crash
 * left behind can be found and removed.
 */
import { basename } from 'node:path';
import { invalidParameter, systemError } from '../../api-spec/errors.js';
import {
  dropShim, launch, type HeldSocket, type Launching, type StartedShim, startShim,
} from '../../native/shim/client.js';
import type { RuntimeNeed, TaskRequest } from '../containers/needs.js';
import type { ContainerRecord } from '../containers/record.js';
import { adopt, sweep } from './adopt.js';
import { DEFAULT_PROFILE, ensureDefaultProfile } from './apparmor.js';
import { bundlePaths, configText, prepareBundle, writeConfig, type BundlePaths } from './bundle.js';
import { beginGroup, type BegunGroup } from './begun-group.js';
import { isWithout, openCgroups, type ContainerCgroup } from './cgroup/index.js';
import { cdiEdits, withCdiEdits } from './cdi/inject.js';
import { checkRecord } from './check.js';
import { compileLaunch, CREATED, type CompiledLaunch } from './compile.js';
import { containerTask } from './container-task.js';
import { foreignOf, type Context, type RuntimeOptions } from './context.js';
import { aheadExecs } from './exec-ahead.js';
import { rememberBasis } from './exec-basis.js';
import { recoverExecs } from './exec-recover.js';
import { groupPlaces } from './group-places.js';
import { readHostFacts, type HostFacts } from './host-facts.js';
import { ownRuntimes } from '../own-runtimes.js';
import type { ForeignContainer } from './foreign/container.js';
import { innerHooks, onCreatedHooks } from './hooks.js';
import { idleShims } from './idle-shims.js';
import { laterHooks } from './later-hooks.js';
import { launchFailure, limitFailure } from './launch-error.js';
import { passedOver } from './passed-over.js';
import { encodedLaunch, type EncodedLaunch } from './launch-template.js';
import { lookUpBlockDevices, lookUpDevices, lookUpUser } from './lookup.js';
import type { OciConfig } from './oci.js';
import { installedFilter } from './seccomp/flags.js';
import { ociConfig } from './spec.js';
import { hasOwn } from './spec/namespaces.js';
import type { Task } from './task.js';
import { updateLimits } from './update.js';
import { pidsWithout } from './without-groups.js';

/**
 * What other services ask of the runtime beyond `RuntimeNeed`: limits and figures of live tasks.
 */
export interface Runtime extends RuntimeNeed {
  /** The control group of a container, live or not. */
  cgroup(record: ContainerRecord): ContainerCgroup;
  readonly cgroupVersion: 1 | 2;
  readonly host: HostFacts;
  /** Ends what only waits; what runs goes on. */
  close(): Promise<void>;
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
    cgroups: openCgroups(host.cgroups, options.cgroupDriver, options.cpuRealtime),
    places: groupPlaces(options.cgroupDriver ?? 'cgroupfs', options.rootId),
    laterHooks: laterHooks(`${options.execRoot}/h`, options.warn),
  };
  const hasGroups = !isWithout(host.cgroups);
  const cgroup = (record: ContainerRecord): ContainerCgroup => {
    const group = context.cgroups.open(context.places.pathOf(record));
    return hasGroups ? group : { ...group, pids: () => pidsWithout(record) };
  };
  const begin = (record: ContainerRecord): BegunGroup =>
    beginGroup(context.cgroups, context.places.pathOf(record));
  const idle = idleShims(options.warn);
  const execs = aheadExecs({ ...context, cgroup, idleShims: idle });
  return {
    host,
    cgroupVersion: host.cgroups.version,
    userOf: (record, rootfs) => lookUpUser(record, rootfs),
    idMapsOf: ({ hostConfig }) => (hostConfig.UsernsMode === 'host' ? undefined : options.remap),
    cgroup,
    update: (record, changed) => updateLimits(cgroup(record), record.hostConfig, changed),
    expectExec: (request) => execs.expect(request),
    exec: (request) => execs.run(request),
    recoverExecs: (live) => recoverExecs(context, live),
    check: (record) => {
      context.places.pathOf(record);
      return checkRecord(record, context);
    },
    begin,
    create: (request, group = begin(request.record)) =>
      create(context, request, group).catch(async (error: unknown) => {
        await group.drop();
        throw error;
      }),
    adopt: (record) => adopt(context, record),
    sweep: (known) => sweep(context, known),
    close: () => idle.close(),
  };
}

async function create(
  context: Context,
  request: TaskRequest,
  group: BegunGroup,
): Promise<Task> {
  const { record } = request;
  request.signal.throwIfAborted();
  // What followed its last end may not meet what it has now.
  await context.laterHooks.settled(record.id, request.signal);
  const paths = bundlePaths(context.dataRoot, context.execRoot, record.id);
  const foreign = foreignOf(context, record, paths);
  const name = record.hostConfig.Runtime ?? '';
  if (foreign === undefined && name !== '' && !ownRuntimes.includes(name)) {
    throw invalidParameter(`unknown or invalid runtime name: ${name}`);
  }
  const netns = netnsFor(context, request, foreign);
  // The shim is executed while its program is compiled.
  const started = startShim(basename(paths.socket), [
    ...(netns === undefined ? [] : [netns]), ...heldFor(context, request).map(({ fd }) => fd),
  ]);
  const { config, limited } = await groundwork(context, request, { paths, foreign, group }).catch(
    async (error: unknown) => {
      await dropShim(started);
      throw error;
    },
  );
  const cgroup = context.cgroups.open(config.linux.cgroupsPath);
  try {
    const launching = await launchTask(context, request, {
      config, text: configText(config), cgroup, limited, paths, foreign, started, netns,
    });
    await (await limited).settled();
    const { pid: shimPid } = await started;
    const task = containerTask({
      containerId: record.id, pid: launching.pid, shimPid, shim: launching.shim, cgroup, paths,
      foreign, laterHooks: context.laterHooks, open: () => launching.open(),
    });
    rememberBasis(task, config);
    return task;
  } catch (error) {
    await Promise.allSettled([limited]);
    await cgroup.kill();
    await foreign?.remove();
    await cgroup.remove();
    await context.laterHooks.afterEnd(record.id);
    throw foreign === undefined ? launchFailure(error) : foreign.failure(error);
  }
}

/** One made ahead is the host's user namespace's, and no other runtime knows what to do with it. */
function netnsFor(
  { remap }: Context,
  { sandbox }: TaskRequest,
  foreign: ForeignContainer | undefined,
): number | undefined {
  return remap === undefined && foreign === undefined ? sandbox.takeNetns?.() : undefined;
}

const heldFor = ({ held = [] }: Context, { sandbox }: TaskRequest): readonly HeldSocket[] =>
  [...sandbox.reservations, ...held];

/**
 * Everything that the launch program speaks of and that is not the shim's to make. The control
 * group is there when `limited` resolves, which what follows need not wait for.
 */
async function groundwork(
  context: Context,
  request: TaskRequest,
  { paths, foreign, group }: {
    readonly paths: BundlePaths;
    readonly foreign: ForeignContainer | undefined;
    readonly group: BegunGroup;
  },
) {
  const configured = configOf(context, request).then((own) => foreign?.config(own) ?? own);
  const limited = group
    .limit(configured.then(({ linux }) => linux.resources))
    .catch((error: unknown) => {
      throw limitFailure(error);
    });
  // It is awaited later.
  limited.catch(() => undefined);
  try {
    const config = await configured;
    const { apparmorParser } = context.host;
    if (config.process.apparmorProfile === DEFAULT_PROFILE && apparmorParser !== undefined) {
      await ensureDefaultProfile(apparmorParser);
    }
    prepareBundle(paths);
    return { config, limited };
  } catch (error) {
    await limited.then((cgroup) => cgroup.remove(), () => undefined);
    throw error;
  }
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
  /** Resolves when it is there. */
  readonly limited: Promise<ContainerCgroup>;
  readonly paths: BundlePaths;
  readonly foreign: ForeignContainer | undefined;
  readonly started: Promise<StartedShim>;
  /** Made ahead, and passed to the shim. */
  readonly netns: number | undefined;
}

async function launchTask(
  context: Context,
  request: TaskRequest,
  prepared: Prepared,
): Promise<Launching> {
  const { config, text, paths, foreign, started, netns } = prepared;
  const shown = readable(request, config, text);
  if (foreign !== undefined) writeConfig(paths, text);
  else if (config.hooks !== undefined) writeConfig(paths, shown);
  const compiled = await compiledOrDropped(context, request, prepared);
  for (const message of passedOver(config, context.host)) context.warnOnce(message);
  const launching = launch({
    started,
    program: compiled.program,
    monitor: monitorOf(context, request, prepared, compiled),
    ...(netns === undefined || compiled.netns === undefined
      ? {} : { passFds: new Map([[compiled.netns, netns]]) }),
    held: heldFor(context, request),
    opens: opensAtOnce(context, request, foreign),
    signal: request.signal,
    onYield: async (token, pid) => {
      if (token !== CREATED) throw systemError(`the shim asks for ${token}, which nobody knows`);
      await request.onCreated(pid);
      // Another runtime runs them itself.
      const hooked = { id: request.record.id, config, paths };
      if (foreign !== undefined) return undefined;
      context.laterHooks.note(hooked, pid);
      await onCreatedHooks(hooked, pid);
      return undefined;
    },
  });
  // For readers and foreign runtimes: it is written while the shim is at work.
  started.then(() => writeConfig(paths, shown)).catch((error: unknown) => {
    context.warn(`config.json of ${request.record.id} is not written`, error);
  });
  return launching;
}

/** systemd has to have begun the group before anything runs in it. */
const opensAtOnce = (
  { cgroupDriver }: Context,
  { runsAtOnce }: TaskRequest,
  foreign: ForeignContainer | undefined,
): boolean => runsAtOnce === true && foreign === undefined && cgroupDriver !== 'systemd';

/** What may be read of a configuration: all but variables that nobody but the process may see. */
function readable({ hiddenEnv = [] }: TaskRequest, config: OciConfig, text: string): string {
  if (hiddenEnv.length === 0) return text;
  const env = config.process.env.filter((entry) => !hiddenEnv.includes(entry));
  return configText({ ...config, process: { ...config.process, env } });
}

type AnyLaunch = CompiledLaunch | EncodedLaunch;

/** What cannot be compiled, limited or written takes the shim that waits for it along. */
async function compiledOrDropped(
  context: Context,
  request: TaskRequest,
  prepared: Prepared,
): Promise<AnyLaunch> {
  try {
    const compiled = compile(context, request, prepared);
    await Promise.all([prepared.limited, request.sandbox.ready]);
    return compiled;
  } catch (error) {
    await dropShim(prepared.started);
    throw error;
  }
}

function compile(context: Context, request: TaskRequest, prepared: Prepared): AnyLaunch {
  const { host } = context;
  const { record, rootfs, sandbox } = request;
  const { config, text, cgroup, paths, foreign, netns } = prepared;
  const { seccomp } = config.linux;
  const plan = {
    containerId: record.id,
    bundle: paths.bundle,
    rootfs,
    mapsRootfs: true,
    netnsIsPassed: netns !== undefined,
    // Links are made in the namespace of a pid only where none was made ahead.
    isAlone: opensAtOnce(context, request, foreign) &&
      (netns !== undefined || sandbox.kind !== 'isolated'),
    cgroup: cgroup.entry,
    stdin: record.config.OpenStdin ?? false,
    stdinOnce: record.config.StdinOnce ?? false,
    hasKcore: host.hasKcore,
    isConfined: host.isConfined,
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

