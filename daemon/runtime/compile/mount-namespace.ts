/**
 * Whose mount namespace the container's mounts are in. One by path is entered, the root is put
 * where the launcher has it, and becomes the root of that namespace, as crun and runc do it:
 * whoever was in there before is then in the container. Without one the process only has another
 * root in the launcher's, and nothing is mounted, since nobody would unmount it.
 */
import { CWD, type Slot, type Step } from '../../../native/launch/opcodes.js';
import type { OciNamespace } from '../oci.js';
import type { ProgramBuilder } from './builder.js';
import * as kernel from './kernel.js';

/** The container's own, another's by path, or the launcher's. */
export type MountsOf = 'container' | 'path' | 'launcher';

/** By the list of namespaces. */
export function mountsOf(namespaces: readonly OciNamespace[]): MountsOf {
  const found = namespaces.find(({ type }) => type === 'mount');
  if (found === undefined) return 'launcher';
  return found.path === undefined ? 'container' : 'path';
}

const about = 'root filesystem';

/** Host, before `clone`: the root as a tree that can be put anywhere. */
export function takeRoot({ host }: ProgramBuilder, rootfs: string, root: Slot): void {
  host.push({
    op: 'openTree', out: root, dir: CWD, path: rootfs,
    flags: kernel.OPEN_TREE_CLONE | kernel.AT_RECURSIVE, about,
  });
}

/** Init, in the namespace: nothing spreads from there, and the root is a mount of it. */
export function placeRoot(rootfs: string, root: Slot): Step[] {
  return [
    {
      op: 'mountSetattr', dir: CWD, path: '/', flags: kernel.AT_RECURSIVE, set: 0, clear: 0,
      propagation: kernel.MS_SLAVE, userns: CWD, about: 'mount namespace',
    },
    { op: 'moveMount', from: root, to: CWD, path: rootfs, flags: 0, about },
  ];
}

/** Init, with the cwd in what becomes its root. */
export function newRoot(mountsIn: MountsOf, noPivot = false): Step[] {
  const changed: Step[] = [{ op: 'chroot', path: '.', about }, { op: 'chdir', path: '/', about }];
  if (mountsIn === 'launcher') return changed;
  if (!noPivot) return [{ op: 'pivotRoot', about }];
  return [
    {
      op: 'mount', source: '.', on: CWD, target: '/', type: '', flags: kernel.MS_MOVE, data: '',
      about,
    },
    ...changed,
  ];
}
