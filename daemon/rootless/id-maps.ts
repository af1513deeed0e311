/** Who the ids of the daemon's user namespace are outside: this user, and its subordinate ids. */
import { userInfo } from 'node:os';
import { subordinateRanges } from '../config/userns-remap.js';
import type { IdMapping } from '../../native/id-maps.js';
import { findTool, runTool } from './tools.js';

/** As the kernel has a map, and newuidmap its arguments. Pure. */
export function mapArguments(own: number, ranges: readonly IdMapping[]): readonly string[] {
  const others = ranges.map(({ containerID, hostID, size }) => [containerID + 1, hostID, size]);
  return [[0, own, 1], ...others].flat().map(String);
}

/** Root is the user itself. Rejects with what is missing, and how it is had. */
export async function mapIds(pid: number, etc = '/etc'): Promise<void> {
  const { uid, gid } = userInfo();
  const account = { name: nameOf(), id: String(uid) };
  const maps = [
    ['newuidmap', mapArguments(uid, subordinateRanges('uid', account, etc))],
    ['newgidmap', mapArguments(gid, subordinateRanges('gid', account, etc))],
  ] as const;
  for (const [tool, map] of maps) await runTool(findTool(tool), [String(pid), ...map]);
}

function nameOf(): string {
  const { username, uid } = userInfo();
  return username === '' ? String(uid) : username;
}
