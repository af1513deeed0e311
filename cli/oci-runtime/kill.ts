import { constants } from 'node:os';
import { hasCode } from '../../native/errno-error.js';
import { OciError } from './oci-error.js';
import { groupOf, readRecord, statusOf, type Status } from './store.js';

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

/** Throws `OciError` unless it is created, running or paused. */
export async function kill({ root, id, signal, all }: KillRequest): Promise<void> {
  const number = signalNumber(signal);
  const record = readRecord(root, id);
  const status = await statusOf(root, record);
  const group = groupOf(record);
  if (all) {
    for (const pid of group.pids()) send(pid, number);
  } else if (!live.includes(status) || record.pid === undefined || !send(record.pid, number)) {
    throw new OciError('container not running');
  }
  // Under version 1 a frozen process does not even die.
  if (number === constants.signals.SIGKILL && status === 'paused') await group.thaw();
}

const live: readonly Status[] = ['created', 'running', 'paused'];

function send(pid: number, signal: number): boolean {
  if (pid <= 1) return false; // 0 is a process of a namespace above ours
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (hasCode(error, 'ESRCH')) return false;
    throw error;
  }
}
