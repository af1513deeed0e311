/** `create`: everything is set up, the process stands at the gate, nothing of it has run. */
import * as fs from 'node:fs';
import { join, resolve } from 'node:path';
import { openCgroups, type ContainerCgroup } from '../../daemon/runtime/cgroup/index.js';
import { compileLaunch, type CompiledLaunch } from '../../daemon/runtime/compile.js';
import { readHostFacts, type HostFacts } from '../../daemon/runtime/host-facts.js';
import type { OciConfig } from '../../daemon/runtime/oci.js';
import { seccompFilter } from '../../daemon/runtime/seccomp/compile.js';
import { hasOwn } from '../../daemon/runtime/spec/namespaces.js';
import { launch, sendFd, type Launching } from '../../native/index.js';
import { runHooks } from './hooks.js';
import { launchWords } from './launch-words.js';
import { OciError } from './oci-error.js';
import { parseConfig, type ParsedConfig } from './parse-config.js';
import { stateDocument } from './state.js';
import {
  codeOf, forget, readStat, reserve, socketOf, writeRecord, type ContainerRecord,
} from './store.js';

/** The flags of `create` and `run`. */
export interface CreateRequest {
  readonly root: string;
  readonly id: string;
  readonly bundle: string;
  readonly pidFile?: string;
  readonly consoleSocket?: string;
  readonly noNewKeyring: boolean;
  /** The shim keeps the terminal, for who attaches: a foreground run. */
  readonly keepsTerminal: boolean;
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
  const parsed = parseConfig(readConfig(bundle), {
    bundle, cgroupsPath: `/tsdocker-runtime-${request.id}`, architecture: host.architecture,
    capabilities: host.capabilities,
  });
  const cgroups = openCgroups(host.cgroups);
  const path = parsed.config.linux.cgroupsPath;
  refuse(request, parsed);
  reserve(request.root, request.id);
  if (cgroups.open(path).pids().length > 0) {
    // Everything in the group is killed in the end: it must not be somebody else's.
    forget(request.root, request.id);
    throw new OciError(`cgroup ${path} is not empty`);
  }
  const record = newRecord(request, bundle, parsed);
  try {
    writeRecord(request.root, record);
    const { config } = parsed;
    const cgroup = cgroups.create(config.linux.cgroupsPath, config.linux.resources);
    return await launchIn({ request, parsed, host, cgroup }, record);
  } catch (error) {
    const cgroup = cgroups.open(path);
    await cgroup.kill().then(() => cgroup.remove());
    forget(request.root, request.id);
    throw launchWords(error);
  }
}

function readConfig(bundle: string): string {
  const path = join(bundle, 'config.json');
  try {
    return fs.readFileSync(path, 'utf8');
  } catch (error) {
    throw new OciError(`${path}: ${codeOf(error)}`, error);
  }
}

function refuse(request: CreateRequest, { config, rootfs }: ParsedConfig): void {
  const { terminal } = config.process;
  if (!fs.statSync(rootfs, { throwIfNoEntry: false })?.isDirectory()) {
    throw new OciError(`config.json: $.root.path: ${rootfs} is not a directory`);
  }
  if (terminal && request.consoleSocket === undefined && !request.keepsTerminal) {
    throw new OciError('a terminal needs --console-socket, or a run in the foreground');
  }
  if (!terminal && request.consoleSocket !== undefined) {
    throw new OciError('--console-socket is of no use: $.process.terminal is not set');
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
  };
}

interface Parts {
  readonly request: CreateRequest;
  readonly parsed: ParsedConfig;
  readonly host: HostFacts;
  readonly cgroup: ContainerCgroup;
}

async function launchIn(parts: Parts, draft: ContainerRecord): Promise<Created> {
  const { request, parsed } = parts;
  const compiled = compile(parts, draft);
  if (compiled.inherited.length > 0) givePipes(parsed.config.process.user.uid);
  const launching = await launch({
    program: compiled.program,
    monitor: monitorOf(parts, compiled),
    passFds: new Map(compiled.inherited.map((slot, fd) => [slot, fd])),
    onYield: async (_token, pid) => {
      const state = { ...stateDocument(draft, 'creating'), pid };
      await runHooks('prestart', draft.hooks.prestart, state);
      await runHooks('createRuntime', draft.hooks.createRuntime, state);
      return undefined;
    },
  });
  try {
    const pidStart = readStat(launching.pid)?.start;
    if (pidStart === undefined) throw new OciError('the process died at the gate');
    const record = { ...draft, pid: launching.pid, pidStart };
    await sendConsole(request, compiled, launching);
    if (request.pidFile !== undefined) writePid(request.pidFile, launching.pid);
    writeRecord(request.root, record);
    return { record, launching, config: parsed.config };
  } catch (error) {
    await launching.abort();
    throw error;
  }
}

function compile(
  { request, parsed, host, cgroup }: Parts,
  record: ContainerRecord,
): CompiledLaunch {
  const { config } = parsed;
  const { seccomp } = config.linux;
  return compileLaunch(config, {
    containerId: record.id,
    bundle: record.bundle,
    mountPoint: record.rootfs,
    rootfs: { kind: 'bind', source: record.rootfs },
    cgroup: cgroup.entry,
    ...(seccomp === undefined ? {} : { seccomp: seccompFilter(seccomp) }),
    streams:
      !config.process.terminal ? 'inherited'
      : request.consoleSocket === undefined ? 'shim'
      : 'console',
    stdin: true,
    stdinOnce: true,
    keepsKeyring: request.noNewKeyring,
    loopback: hasOwn(config.linux.namespaces, 'network'),
    ...(host.hardLimits === undefined ? {} : { hardLimits: host.hardLimits }),
    hasKcore: host.hasKcore,
  });
}

/** How long a terminal is read after the process has ended while others hold it. */
const DRAIN_MS = 2000;
const STALL_MS = 60_000;

function monitorOf(
  { request, parsed, cgroup }: Parts,
  compiled: CompiledLaunch,
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

/** So that the user may open /dev/stdout again. Devices and files stay whose they are. */
function givePipes(uid: number): void {
  if (uid === 0) return;
  for (const fd of [0, 1, 2]) {
    const stat = fs.fstatSync(fd);
    if (!stat.isFIFO() && !stat.isSocket()) continue;
    try {
      fs.fchownSync(fd, uid, stat.gid);
    } catch (error) {
      if (!['EPERM', 'EINVAL', 'EROFS'].includes(codeOf(error))) throw error;
    }
  }
}

/** The terminal's controlling side goes to the caller, and the shim lets go of it. */
async function sendConsole(
  { consoleSocket }: CreateRequest,
  compiled: CompiledLaunch,
  { shim }: Launching,
): Promise<void> {
  const slot = compiled.console;
  if (slot === undefined || consoleSocket === undefined) return;
  const fd = await shim.getFd({ kind: 'slot', slot });
  try {
    await sendFd(resolve(consoleSocket), fd, '/dev/ptmx');
  } finally {
    fs.closeSync(fd);
  }
  await shim.dropFd(slot);
}

/** By rename: who waits for the file reads a whole number. */
function writePid(path: string, pid: number): void {
  fs.writeFileSync(`${path}.new`, String(pid), { mode: 0o644 });
  fs.renameSync(`${path}.new`, path);
}
