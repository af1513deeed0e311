import { readdirSync, readlinkSync } from 'node:fs';
import { codeOf } from '../../native/errno-error.js';

/** What a link of /proc says; empty when it has gone. */
export function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== '') return '';
    throw error;
  }
}

/** The network namespaces that a process has open and is not in, as `net:[inode]`. */
export function heldNetns(pid: number): readonly string[] {
  const own = linkOf(`/proc/${pid}/ns/net`);
  return readdirSync(`/proc/${pid}/fd`)
    .map((fd) => linkOf(`/proc/${pid}/fd/${fd}`))
    .filter((link) => link.startsWith('net:') && link !== own);
}
