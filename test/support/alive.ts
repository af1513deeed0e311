import { readFileSync } from 'node:fs';
import { hasCode } from '../../native/errno-error.js';

/** Whether a process has not ended. Who has may stay a zombie: not every pid 1 reaps at once. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return false;
    throw error;
  }
}
