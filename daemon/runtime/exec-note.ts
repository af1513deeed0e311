/** The record of an exec as its shim keeps it, for a daemon that comes later. */
import { closeSync, readFileSync } from 'node:fs';
import { ErrnoError } from '../../native/errno-error.js';
import type { Shim } from '../../native/shim/client.js';
import type { ExecRecord } from './exec-task.js';

/** For the launch of the exec. */
export function noteBytes(exec: ExecRecord): Uint8Array {
  return Buffer.from(JSON.stringify(exec));
}

/** Undefined of a shim that has none, or has gone. */
export async function readNote(shim: Shim): Promise<ExecRecord | undefined> {
  let fd: number;
  try {
    fd = await shim.getFd({ kind: 'note' });
  } catch (error) {
    if (error instanceof ErrnoError && noNote.has(error.code)) return undefined;
    throw error;
  }
  try {
    // Only `noteBytes` makes them.
    return JSON.parse(readFileSync(`/proc/self/fd/${fd}`, 'utf8')) as ExecRecord;
  } finally {
    closeSync(fd);
  }
}

/** EINVAL: a shim of an earlier version knows of no notes. */
const noNote = new Set(['EBADF', 'EINVAL', 'EPIPE', 'ECONNREFUSED', 'ENOENT']);
