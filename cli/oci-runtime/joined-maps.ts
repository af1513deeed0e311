import { readFileSync } from 'node:fs';
import type { IdMapping, IdMappings } from '../../daemon/runtime/oci.js';
import { hasCode } from '../../native/errno-error.js';

/** The maps of a user namespace by the path of a process's; undefined for one by another name. */
export function joinedMaps(path: string): IdMappings | undefined {
  const [, pid] = /^\/proc\/(\d+)\/ns\/user$/.exec(path) ?? [];
  if (pid === undefined) return undefined;
  try {
    return {
      uidMappings: readMap(`/proc/${pid}/uid_map`),
      gidMappings: readMap(`/proc/${pid}/gid_map`),
    };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function readMap(path: string): readonly IdMapping[] {
  return readFileSync(path, 'utf8').trim().split('\n').map((line) => {
    const [containerID = 0, hostID = 0, size = 0] = line.trim().split(/\s+/).map(Number);
    return { containerID, hostID, size };
  });
}
