/** A filesystem of the namespaces that init is in, by the new mount API. */
import type { Slot, Step } from '../../../native/launch/opcodes.js';
import type { OciMount } from '../oci.js';
import type { ProgramBuilder } from './builder.js';
import { parseMountOptions } from './mount-options.js';

/** What a user would call the steps of a mount. */
export const aboutMount = (mount: OciMount): string => `mount ${mount.destination}`;

/** What of its options the filesystem itself takes, for one that is being made or changed. */
export function filesystemOptions(mount: OciMount, fs: Slot): Step[] {
  const about = aboutMount(mount);
  return parseMountOptions(mount.options).data.map((option): Step => {
    const at = option.indexOf('=');
    if (at < 0) return { op: 'fsconfigFlag', fs, key: option, about };
    const [key, value] = [option.slice(0, at), option.slice(at + 1)];
    return { op: 'fsconfigString', fs, key, value, about };
  });
}

/** fsopen … fsmount in init: a new filesystem of the namespaces it is in. The fd is the mount. */
export function makeFilesystem(builder: ProgramBuilder, mount: OciMount): Slot {
  const about = aboutMount(mount);
  const { own, below } = parseMountOptions(mount.options);
  const fs = builder.slot();
  const tree = builder.slot();
  builder.init.push(
    { op: 'fsopen', out: fs, type: mount.type, about },
    { op: 'fsconfigString', fs, key: 'source', value: mount.source, about },
    ...filesystemOptions(mount, fs),
    { op: 'fsmount', out: tree, fs, attrs: own.set | below.set, about },
    { op: 'close', fd: fs },
  );
  return tree;
}
