/** `create`: everything is set up, the process stands at the gate, nothing of it has run. */
import * as fs from 'node:fs';
import { join, resolve } from 'node:path';
import { openCgroups, type ContainerCgroup } from '../../daemon/runtime/cgroup/index.js';
import {
  compileLaunch, type CompiledLaunch, type LaunchPlan,
} from '../../daemon/runtime/compile.js';
import { hostId } from '../../daemon/runtime/compile/id-maps.js';
import { statePaths } from '../../daemon/runtime/hooks.js';
import { readHostFacts, type HostFacts } from '../../daemon/runtime/host-facts.js';
import { encodedLaunch, type EncodedLaunch } from '../../daemon/runtime/launch-template.js';
import type { OciConfig } from '../../daemon/runtime/oci.js';
import { installedFilter } from '../../daemon/runtime/seccomp/flags.js';
import { hasOwn } from '../../daemon/runtime/spec/namespaces.js';
import { codeOf, hasCode } from '../../native/errno-error.js';
import { launch, type Launching } from '../../native/index.js';
import { basisOf, writeBasis } from './basis.js';
import { doorOf, writeDoor } from './door-file.js';
import { runHooks, runPoststop, writeStates } from './hooks.js';
import { joinedMaps } from './joined-maps.js';
import { keptPrograms } from './kept-programs.js';
import { launchWords } from './launch-words.js';
import { OciError } from './oci-error.js';
import { parseConfig, type ParsedConfig } from './parse-config.js';
import { processState, stateDocument } from './state.js';
import {
  checkOpen, FIRST_PASSED, givePipes, sendConsole, streamsOf, writePid,
} from './streams.js';
import {
  folderOf, forget, readStat, reserve, socketOf, writeRecord, type ContainerRecord,
} from './store.js';

/** The flags of `create` and `run`. */
export interface CreateRequest {
  readonly root: string;
  readonly id: string;
  readonly bundle: string;
  /** Read in place of the bundle's `config.json`. */
  readonly config?: string;
  readonly pidFile?: string;
  readonly consoleSocket?: string;
  readonly noNewKeyring: boolean;
  /** The control group is a scope of systemd's. */
  readonly systemdCgroup: boolean;
  /** The root is moved instead, as on a ramdisk, where there is nothing to pivot. */
  readonly noPivot: boolean;
  /** How many descriptors from 3 on the process gets of the caller. */
  readonly preservedFds: number;
  /** The shim keeps the terminal, for who attaches: a foreground run. */
  readonly keepsTerminal: boolean;
  /** The file that holds all of this program's code, if one does: launch programs are kept then. */
  readonly compiler?: string;
  /** Told of hooks that fail after the end. */
  readonly warn: (message: string) => void;
}

/** A container whose process waits at its gate; `launching` must be opened, left or aborted. */
export interface Created {
  readonly record: ContainerRecord;
  readonly launching: Launching;
  readonly config: OciConfig;
}

/** Throws `OciError`, and leaves nothing then. */
export async function create(request: CreateRequest): Promise<Created> {
  const host = readHostFacts();
  const bundle = resolve(request.bundle);
  const parsed = parseConfig(readConfig(request.config ?? join(bundle, 'config.json')), {
    bundle, architecture: host.architecture, capabilities: host.capabilities, mapsOf: joinedMaps,
    systemdCgroup: request.systemdCgroup,
    cgroupsPath: request.systemdCgroup
      ? `:tsdocker-runtime:${request.id}`
      : `/tsdocker-runtime-${request.id}`,
  });
  const cgroups = openCgroups(host.cgroups, request.systemdCgroup ? 'systemd' : 'cgroupfs');
  const path = parsed.config.linux.cgroupsPath;
  refuse(request, parsed);
  reserve(request.root, request.id);
  if (cgroups.open(path).pids().length > 0) {
    // Everything in the group is killed in the end: it must not be somebody else's.
    forget(request.root, request.id);
    throw new OciError(`cgroup ${path} is not empty`);
  }
  const record = newRecord(request, bundle, parsed);
  let cgroup: ContainerCgroup | undefined;
  try {
    writeRecord(request.root, record);
    const { config } = parsed;
    cgroup = await cgroups.create(config.linux.cgroupsPath, config.linux.resources);
    const owner = ownerOfGroup(config);
    if (owner !== undefined) cgroup.delegate(owner);
    const created = await launchIn({ request, parsed, host, cgroup }, record);
    await cgroup.settled();
    return created;
  } catch (error) {
    await cgroup?.kill();
    await cgroup?.remove();
    forget(request.root, request.id);
    await runPoststop(record, request.warn);
    throw launchWords(error);
  }
}

/**
 * Who will run the process, if the groups are its own to see and to write; undefined when they stay
 * the runtime's. (runtime-spec, "Cgroup ownership")
 */
function ownerOfGroup({ process, mounts, linux }: OciConfig): number | undefined {
  const isWritable = mounts.some(({ type, destination, options }) =>
    type.startsWith('cgroup') && destination === '/sys/fs/cgroup' &&
    !options.some((option) => /^r?ro$/.test(option)));
  if (!isWritable || !hasOwn(linux.namespaces, 'cgroup')) return undefined;
  return hostId(linux.uidMappings, process.user.uid);
}

function readConfig(path: string): string {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch (error) {
    throw new OciError(`${path}: ${codeOf(error)}`, error);
  }
}

function refuse(request: CreateRequest, { config, rootfs }: ParsedConfig): void {
  if (!fs.statSync(rootfs, { throwIfNoEntry: false })?.isDirectory()) {
    throw new OciError(`config.json: $.root.path: ${rootfs} is not a directory`);
  }
  const joined = config.linux.namespaces.find(({ type }) => type === 'mount')?.path;
  if (joined !== undefined && ['self', '1'].some((pid) => isSame(joined, `/proc/${pid}/ns/mnt`))) {
    // Whoever is in there gets the container's root.
    throw new OciError(`config.json: $.linux.namespaces: ${joined} is the host's mount namespace`);
  }
  streamsOf({ ...request, terminal: config.process.terminal });
}

function isSame(one: string, other: string): boolean {
  const found = identityOf(one);
  return found !== undefined && found === identityOf(other);
}

/** Undefined for what is not there, or not ours to look at: nobody joins that. */
function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = fs.statSync(path);
    return `${dev}:${ino}`;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES', 'EPERM')) return undefined;
    throw error;
  }
}

function newRecord(
  request: CreateRequest,
  bundle: string,
  { config, rootfs, hooks }: ParsedConfig,
): ContainerRecord {
  return {
    id: request.id, ociVersion: config.ociVersion, bundle, rootfs: fs.realpathSync(rootfs),
    created: new Date().toISOString(), cgroupsPath: config.linux.cgroupsPath,
    annotations: config.annotations ?? {}, hooks, command: config.process.args[0] ?? '',
    ...(request.systemdCgroup ? { isScope: true } : {}),
  };
}

interface Parts {
  readonly request: CreateRequest;
  readonly parsed: ParsedConfig;
  readonly host: HostFacts;
  readonly cgroup: ContainerCgroup;
}

async function launchIn(parts: Parts, draft: ContainerRecord): Promise<Created> {
  const { request, parsed: { config } } = parts;
  const compiled = compile(parts, draft);
  if (compiled.inherited.length > 0) givePipes(config.process, config.linux.uidMappings);
  checkOpen(request.preservedFds);
  const launching = await launch({
    program: compiled.program,
    monitor: monitorOf(parts, compiled),
    passFds: new Map([
      ...compiled.inherited.map((slot, fd) => [slot, fd] as const),
      ...compiled.passed.map((slot, index) => [slot, FIRST_PASSED + index] as const),
    ]),
    onYield: async (_token, pid) => {
      const state = { ...stateDocument(draft, 'creating'), pid };
      await takeLinks(config, pid);
      await runHooks('prestart', draft.hooks.prestart, state);
      await runHooks('createRuntime', draft.hooks.createRuntime, state);
      writeStates(folderOf(request.root, request.id), draft, pid);
      return { bytes: processState(state, pid, config.linux.seccomp) };
    },
  });
  try {
    const pidStart = readStat(launching.pid)?.start;
    if (pidStart === undefined) throw new OciError('the process died at the gate');
    const record = { ...draft, pid: launching.pid, pidStart };
    await sendConsole(request.consoleSocket, compiled.console, launching);
    writePid(request.pidFile, launching.pid);
    writeBasis(request.root, record.id, basisOf(config));
    const { host, cgroup } = parts;
    writeDoor(request.root, record, doorOf(record, host.cgroups.version, cgroup.places));
    writeRecord(request.root, record);
    return { record, launching, config };
  } catch (error) {
    await launching.abort();
    throw error;
  }
}

/** Before the hooks, which may look for them. */
async function takeLinks({ linux }: OciConfig, pid: number): Promise<void> {
  if (linux.netDevices === undefined) return;
  // Few have any: the others do not wait for this module.
  const { moveNetDevices } = await import('./net-devices.js');
  const joined = linux.namespaces.find(({ type }) => type === 'network')?.path;
  moveNetDevices(linux.netDevices, joined ?? `/proc/${pid}/ns/net`);
}

/** As it was compiled for a container that was configured alike, or compiled now. */
function compile(parts: Parts, record: ContainerRecord): EncodedLaunch {
  const { request } = parts;
  // They change nothing, and say when it was made and by whom.
  const config = { ...parts.parsed.config, annotations: {} };
  const plan = planOf(parts, record);
  const { seccomp } = config.linux;
  const compileIt = (): CompiledLaunch =>
    compileLaunch(config, {
      ...plan, ...(seccomp === undefined ? {} : { seccomp: installedFilter(seccomp) }),
    });
  const limits = [...(plan.hardLimits ?? [])];
  const inputs = JSON.stringify([config, { ...plan, hardLimits: limits }]);
  const store = request.compiler === undefined
    ? undefined
    : keptPrograms(request.root, request.compiler);
  return encodedLaunch(record.id, inputs, compileIt, store);
}

/** Without the filter, which is made of the configuration alone. */
function planOf(
  { request, parsed, host, cgroup }: Parts,
  record: ContainerRecord,
): Omit<LaunchPlan, 'seccomp'> {
  const { config } = parsed;
  return {
    containerId: record.id,
    bundle: record.bundle,
    mountPoint: record.rootfs,
    rootfs: { kind: 'bind', source: record.rootfs },
    cgroup: cgroup.entry,
    streams: streamsOf({ ...request, terminal: config.process.terminal }),
    passedFds: request.preservedFds,
    stdin: true,
    stdinOnce: true,
    keepsKeyring: request.noNewKeyring,
    noPivot: request.noPivot,
    hooks: { ...parsed.hooks, states: statePaths(folderOf(request.root, request.id)) },
    loopback: hasOwn(config.linux.namespaces, 'network'),
    ...(host.hardLimits === undefined ? {} : { hardLimits: host.hardLimits }),
    hasKcore: host.hasKcore,
    isConfined: host.isConfined,
  };
}

/** How long a terminal is read after the process has ended while others hold it. */
const DRAIN_MS = 2000;
const STALL_MS = 60_000;

function monitorOf(
  { request, parsed, cgroup }: Parts,
  compiled: EncodedLaunch,
): Parameters<typeof launch>[0]['monitor'] {
  const folder = join(request.root, request.id);
  const ownPids = hasOwn(parsed.config.linux.namespaces, 'pid');
  return {
    socketPath: socketOf(request.root, request.id),
    exitPath: join(folder, 'exit'),
    stdio: compiled.stdio,
    log: { kind: 'none' },
    attach: { spillDir: folder, spillBytes: 0, stallMs: STALL_MS },
    drainMs: DRAIN_MS,
    oomFiles: cgroup.oomFiles,
    killAtExit: ownPids ? [] : cgroup.killFiles,
    rootDir: compiled.rootDir,
    keep: compiled.console === undefined ? [] : [compiled.console],
  };
}
