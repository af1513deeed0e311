import { constants } from 'node:os';
import { openCgroups } from '../../daemon/runtime/cgroup/index.js';
import { readHostFacts } from '../../daemon/runtime/host-facts.js';
import { OciError } from './oci-error.js';
import { codeOf, readRecord, statusOf } from './store.js';

const LAST_SIGNAL = 64;

/** `TERM`, `SIGTERM`, `15`. Throws `OciError`. */
export function signalNumber(text: string): number {
  const number = /^\d+$/.test(text)
    ? Number(text)
    : Object.entries(constants.signals).find(
        ([name]) => name === `SIG${text.toUpperCase().replace(/^SIG/, '')}`,
      )?.[1];
  if (number === undefined || number > LAST_SIGNAL) throw new OciError(`unknown signal ${text}`);
  return number;
}

/** A signal, by name or number, and whom it is for. */
export interface KillRequest {
  readonly root: string;
  readonly id: string;
  readonly signal: string;
  /** To every process of its control group, even when the first has ended. */
  readonly all: boolean;
}

/** Throws `OciError` unless it is created or running. */
export async function kill({ root, id, signal, all }: KillRequest): Promise<void> {
  const number = signalNumber(signal);
  const record = readRecord(root, id);
  const status = await statusOf(root, record);
  if (all) {
    const cgroup = openCgroups(readHostFacts().cgroups).open(record.cgroupsPath);
    for (const pid of cgroup.pids()) send(pid, number);
    return;
  }
  if (status !== 'created' && status !== 'running') throw new OciError('container not running');
  if (record.pid === undefined || !send(record.pid, number)) {
    throw new OciError('container not running');
  }
}

function send(pid: number, signal: number): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return false;
    throw error;
  }
}
