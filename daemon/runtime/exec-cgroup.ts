/** Where in the control groups an exec belongs. */
import { readFileSync } from 'node:fs';
import type { CgroupEntry, CgroupLayout } from './cgroup/index.js';
import { readText } from './cgroup/files.js';

/**
 * The container's own group. Under version 2 a group that hands controllers down to groups below
 * takes no process itself (a systemd in the container makes it so): then it is the group of the
 * first process.
 */
export function execEntry(layout: CgroupLayout, own: CgroupEntry, pid: number): CgroupEntry {
  if (layout.version === 1 || own.kind !== 'clone') return own;
  if (readText(`${own.folder}/cgroup.subtree_control`).trim() === '') return own;
  const path = /^0::(\/.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1] ?? '/';
  const folder = `${layout.mount}${path}`;
  // A process that has left its container's group does not take others along.
  return folder.startsWith(`${own.folder}/`) ? { kind: 'clone', folder } : own;
}
