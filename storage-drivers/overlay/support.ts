/**
 * Whether overlayfs can lie on a filesystem: asked of the kernel, by a mount that is never
 * attached.
 */
import { closeSync, openSync } from 'node:fs';
import { mkdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { knowsKinds } from '../../native/dirent.js';
import { ErrnoError } from '../../native/errno-error.js';
import { detachedMount } from '../../native/mount.js';
import { inUserNamespace } from '../../native/userns.js';
import { writeXattr } from '../../native/xattr.js';

/** Names as `docker info` has them, by f_type of statfs(2). */
const filesystems: ReadonlyMap<number, string> = new Map([
  [0xef53, 'extfs'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x01021994, 'tmpfs'],
  [0x2fc12fc1, 'zfs'],
  [0xf2f52010, 'f2fs'],
  [0x794c7630, 'overlayfs'],
  [0x6969, 'nfs'],
  [0x65735546, 'fuse'],
  [0xca451a4e, 'bcachefs'],
]);

/** Why a root cannot be used; the message is for the one who started the daemon. */
export class OverlayUnsupported extends Error {
  override readonly name = 'OverlayUnsupported';
}

/** The name of the filesystem below `root`, or `OverlayUnsupported` with what it lacks. */
export async function checkOverlay(root: string): Promise<string> {
  // statfs gives a signed number on some architectures.
  const magic = (await statfs(root)).type >>> 0;
  const name = filesystems.get(magic) ?? `0x${magic.toString(16)}`;
  const refuse = (why: string): OverlayUnsupported =>
    new OverlayUnsupported(`storage driver overlay cannot use ${root} (${name}): ${why}`);
  if (name === 'overlayfs') throw refuse('an overlay cannot lie on an overlay');
  const probe = join(root, 'stage', 'probe');
  await rm(probe, { recursive: true, force: true });
  for (const part of ['lower', 'upper', 'work']) {
    await mkdir(join(probe, part), { recursive: true });
  }
  try {
    if (!knowsKinds(probe)) throw refuse('its directories do not tell kinds (d_type)');
    attempt(() => writeXattr(probe, `${attributeKind()}.overlay.probe`, 'y'), refuse);
    attempt(() => mountOnce(probe), refuse);
    return name;
  } finally {
    await rm(probe, { recursive: true, force: true });
  }
}

/** Where overlayfs keeps what it has to remember. */
function attributeKind(): 'trusted' | 'user' {
  return inUserNamespace() ? 'user' : 'trusted';
}

/** By /proc/self/fd: fsconfig of Linux 6.1 takes no string of 256 bytes or more. */
function mountOnce(probe: string): void {
  const fds = ['lower', 'upper', 'work'].map((part) => openSync(join(probe, part), 'r'));
  const [lower, upper, work] = fds.map((fd) => `/proc/self/fd/${fd}`);
  try {
    closeSync(
      detachedMount('overlay', [
        ['lowerdir', lower ?? ''],
        ['upperdir', upper ?? ''],
        ['workdir', work ?? ''],
        ...(inUserNamespace() ? ([['userxattr']] as const) : []),
      ]),
    );
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

function attempt(action: () => void, refuse: (why: string) => OverlayUnsupported): void {
  try {
    action();
  } catch (error) {
    if (error instanceof ErrnoError) throw refuse(error.message);
    throw error;
  }
}
