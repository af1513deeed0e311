/** A filesystem of the namespaces that init is in, by the new mount API. */
import type { Slot, Step } from '../../../native/launch/opcodes.js';
import type { OciMount } from '../oci.js';
import type { ProgramBuilder } from './builder.js';
import { parseMountOptions } from './mount-options.js';

/** What a user would call the steps of a mount. */
export const aboutMount = (mount: OciMount): string => `mount ${mount.destination}`;

/** fsopen … fsmount in init: a new filesystem of the namespaces it is in. The fd is the mount. */
export function makeFilesystem(builder: ProgramBuilder, mount: OciMount): Slot {
  const about = aboutMount(mount);
  const { attrs, recursiveAttrs, data } = parseMountOptions(mount.options);
  const fs = builder.slot();
  const tree = builder.slot();
  builder.init.push(
    { op: 'fsopen', out: fs, type: mount.type, about },
    { op: 'fsconfigString', fs, key: 'source', value: mount.source, about },
    ...data.map((option): Step => {
      const at = option.indexOf('=');
      return at < 0
        ? { op: 'fsconfigFlag', fs, key: option, about }
        : {
          op: 'fsconfigString', fs, key: option.slice(0, at), value: option.slice(at + 1), about,
        };
    }),
    { op: 'fsmount', out: tree, fs, attrs: attrs | recursiveAttrs, about },
    { op: 'close', fd: fs },
  );
  return tree;
}
