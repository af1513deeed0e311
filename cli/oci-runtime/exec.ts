/** `exec`: one more process in a container that runs. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { compileExec, type CompiledExec } from '../../daemon/runtime/compile/exec.js';
import { O_PATH } from '../../daemon/runtime/compile/kernel.js';
import { execEntry } from '../../daemon/runtime/exec-cgroup.js';
import { readHostFacts, type HostFacts } from '../../daemon/runtime/host-facts.js';
import type { OciProcess } from '../../daemon/runtime/oci.js';
import { installedFilter } from '../../daemon/runtime/seccomp/flags.js';
import { launch, openGate, openPidFd, type Launching } from '../../native/index.js';
import type { Given } from './arguments.js';
import { readBasis, type Basis } from './basis.js';
import { execProcess } from './exec-process.js';
import { inForeground } from './foreground.js';
import { launchWords } from './launch-words.js';
import { OciError } from './oci-error.js';
import { processState, stateDocument } from './state.js';
import {
  checkOpen, FIRST_PASSED, givePipes, sendConsole, streamsOf, writePid, type StreamWish,
} from './streams.js';
import {
  folderOf, groupOf, isAlive, readRecord, statusOf, type ContainerRecord,
} from './store.js';

/** Which container, and the flags and words that say what is to run in it. */
export interface ExecRequest {
  readonly root: string;
  readonly id: string;
  readonly flags: Given;
  readonly pidFile?: string;
  readonly consoleSocket?: string;
  /** As in `CreateRequest`. */
  readonly preservedFds: number;
  /** Returns once it runs; whoever is above, a subreaper, waits for it. */
  readonly detach: boolean;
}

/** As for a container. */
const DRAIN_MS = 2000;
const STALL_MS = 60_000;

interface Parts {
  readonly request: ExecRequest;
  readonly record: ContainerRecord;
  readonly process: OciProcess;
  readonly basis: Basis;
  readonly wish: StreamWish;
  /** Of the exec's own shim; both are gone when it is. */
  readonly socketPath: string;
  readonly exitPath: string;
}

/** The exit code; 0 when detached. Throws `OciError`, and leaves nothing then. */
export async function exec(request: ExecRequest): Promise<number> {
  const { root, id, flags, detach } = request;
  const record = readRecord(root, id);
  const status = await statusOf(root, record);
  if (status === 'paused' && !flags.truth('ignore-paused')) {
    throw new OciError('cannot exec in a paused container (use --ignore-paused to override)');
  }
  if (status !== 'running' && status !== 'paused' && status !== 'created') {
    throw new OciError(`cannot exec in a container that is ${status}`);
  }
  const host = readHostFacts();
  const basis = readBasis(root, id);
  const process = execProcess(flags, basis.process, host.capabilities);
  const { consoleSocket } = request;
  const wish: StreamWish = {
    terminal: process.terminal, keepsTerminal: !detach,
    ...(consoleSocket === undefined ? {} : { consoleSocket }),
  };
  // Short: a socket's path may have 107 bytes.
  const socketPath = join(folderOf(root, id), `e${randomBytes(4).toString('hex')}`);
  const exitPath = `${socketPath}.exit`;
  const parts: Parts = { request, record, process, basis, wish, socketPath, exitPath };
  try {
    return await carryOut(parts, compile(parts, host));
  } catch (error) {
    throw launchWords(error);
  } finally {
    for (const path of [exitPath, socketPath]) fs.rmSync(path, { force: true });
  }
}

function compile(
  { request, record, process, basis, wish }: Parts,
  host: HostFacts,
): CompiledExec {
  const { namespaces, uidMappings, seccomp } = basis;
  return compileExec({
    containerId: record.id,
    process,
    namespaces,
    ...(uidMappings === undefined ? {} : { uidMappings }),
    cgroup: execEntry(host.cgroups, groupOf(record).entry, record.pid ?? 0),
    ...(seccomp === undefined ? {} : { seccomp: installedFilter(seccomp) }),
    streams: streamsOf(wish),
    passedFds: request.preservedFds,
    stdin: true,
    ...(host.hardLimits === undefined ? {} : { hardLimits: host.hardLimits }),
  });
}

async function carryOut(parts: Parts, compiled: CompiledExec): Promise<number> {
  const { request, process, wish, socketPath } = parts;
  const launching = await atGate(parts, compiled);
  try {
    await sendConsole(request.consoleSocket, compiled.console, launching);
    writePid(request.pidFile, launching.pid);
    if (request.detach) {
      await launching.leave({ handOver: true });
      await openGate(socketPath, process.args[0] ?? '');
      return 0;
    }
  } catch (error) {
    await launching.abort();
    throw error;
  }
  const terminal = streamsOf(wish) === 'shim';
  return inForeground(launching, terminal, () => Promise.resolve());
}

async function atGate(parts: Parts, compiled: CompiledExec): Promise<Launching> {
  const { request, record, process, socketPath, exitPath } = parts;
  const pidFd = openPidFd(record.pid ?? 0);
  let root: number | undefined;
  try {
    if (compiled.newRoot !== undefined) root = fs.openSync(`/proc/${record.pid ?? 0}/root`, O_PATH);
    // From here on the descriptor is of the process that was looked at, or of none.
    if (!isAlive(record)) throw new OciError('cannot exec in a container that is stopped');
    checkOpen(request.preservedFds);
    if (compiled.inherited.length > 0) givePipes(process, parts.basis.uidMappings);
    return await launch({
      program: compiled.program,
      onYield: async (_token, pid) => ({
        bytes: processState(stateDocument(record, 'running'), pid, parts.basis.seccomp),
      }),
      monitor: {
        socketPath, exitPath, stdio: compiled.stdio, log: { kind: 'none' },
        attach: { spillDir: folderOf(request.root, record.id), spillBytes: 0, stallMs: STALL_MS },
        drainMs: DRAIN_MS, oomFiles: [], killAtExit: [],
        keep: compiled.console === undefined ? [] : [compiled.console],
      },
      passFds: new Map([
        [compiled.pidFd, pidFd],
        ...(compiled.newRoot === undefined ? [] : [[compiled.newRoot, root ?? -1] as const]),
        ...compiled.inherited.map((slot, fd) => [slot, fd] as const),
        ...compiled.passed.map((slot, index) => [slot, FIRST_PASSED + index] as const),
      ]),
    });
  } finally {
    fs.closeSync(pidFd);
    if (root !== undefined) fs.closeSync(root);
  }
}
