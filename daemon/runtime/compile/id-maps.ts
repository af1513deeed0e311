/** Ids of a container as its host knows them, and user namespaces that hold the difference. */
import type { Slot, Step } from '../../../native/launch/opcodes.js';
import type { IdMapping, IdMappings } from '../oci.js';
import type { ProgramBuilder } from './builder.js';
import * as kernel from './kernel.js';

/** Undefined for an id that the maps do not have; without maps the ids are the host's own. */
export function hostId(
  maps: readonly IdMapping[] | undefined,
  id: number,
): number | undefined {
  if (maps === undefined) return id;
  const found = maps.find(
    ({ containerID, size }) => id >= containerID && id < containerID + size,
  );
  return found && found.hostID + (id - found.containerID);
}

/** As user_namespaces(7) has a map: one range a line. */
function mapFile(maps: readonly IdMapping[]): Buffer {
  const lines = maps.map((map) => `${map.containerID} ${map.hostID} ${map.size}\n`);
  return Buffer.from(lines.join(''));
}

/** Makes a user namespace; by the host, which may write any map. */
export function makeUserns(
  out: Slot,
  { uidMappings = [], gidMappings = [] }: Partial<IdMappings>,
  about: string,
): Step {
  return { op: 'userns', out, uidMap: mapFile(uidMappings), gidMap: mapFile(gidMappings), about };
}

/** Shows the owners of files below a mount that nobody else can see yet as the maps say. */
export function mapIds(
  builder: ProgramBuilder,
  dir: Slot,
  maps: Partial<IdMappings>,
  { recursive, about }: { readonly recursive: boolean; readonly about: string },
): Step[] {
  const userns = builder.slot();
  return [
    makeUserns(userns, maps, about),
    {
      op: 'mountSetattr', dir, path: '', flags: recursive ? kernel.AT_RECURSIVE : 0,
      set: kernel.MOUNT_ATTR_IDMAP, clear: 0, propagation: 0, userns, about,
    },
    { op: 'close', fd: userns },
  ];
}
