/** Mount options as a configuration lists them, sorted by who takes them. Pure. */
import * as kernel from './kernel.js';

/** What the options of one mount come to. */
export interface MountOptions {
  /** MOUNT_ATTR_* of the mount itself. */
  readonly attrs: number;
  /** Of those, the ones that hold for everything below as well. */
  readonly recursiveAttrs: number;
  /** MS_SHARED, MS_SLAVE, … */
  readonly propagation?: { readonly type: number; readonly recursive: boolean };
  /** `rbind` in place of `bind`. */
  readonly recursive: boolean;
  /** For the filesystem: `key` or `key=value`. */
  readonly data: readonly string[];
}

const setting: Readonly<Record<string, number>> = {
  ro: kernel.MOUNT_ATTR_RDONLY,
  nosuid: kernel.MOUNT_ATTR_NOSUID,
  nodev: kernel.MOUNT_ATTR_NODEV,
  noexec: kernel.MOUNT_ATTR_NOEXEC,
  noatime: kernel.MOUNT_ATTR_NOATIME,
  strictatime: kernel.MOUNT_ATTR_STRICTATIME,
  nodiratime: kernel.MOUNT_ATTR_NODIRATIME,
};

const clearing: Readonly<Record<string, number>> = {
  rw: kernel.MOUNT_ATTR_RDONLY,
  suid: kernel.MOUNT_ATTR_NOSUID,
  dev: kernel.MOUNT_ATTR_NODEV,
  exec: kernel.MOUNT_ATTR_NOEXEC,
  atime: kernel.MOUNT_ATTR_NOATIME,
  diratime: kernel.MOUNT_ATTR_NODIRATIME,
};

const propagations: Readonly<Record<string, number>> = {
  shared: kernel.MS_SHARED,
  slave: kernel.MS_SLAVE,
  private: kernel.MS_PRIVATE,
  unbindable: kernel.MS_UNBINDABLE,
};

const ignored: ReadonlySet<string> = new Set(['', 'defaults', 'bind', 'relatime', 'norelatime']);

function propagationOf(option: string): MountOptions['propagation'] {
  const own = propagations[option];
  if (own !== undefined) return { type: own, recursive: false };
  const deep = option.startsWith('r') ? propagations[option.slice(1)] : undefined;
  return deep === undefined ? undefined : { type: deep, recursive: true };
}

/** Of contradicting options the last holds. */
export function parseMountOptions(options: readonly string[]): MountOptions {
  let attrs = 0;
  let recursiveAttrs = 0;
  let recursive = false;
  let propagation: MountOptions['propagation'];
  const data: string[] = [];
  for (const option of options) {
    const deep = option.startsWith('r') ? option.slice(1) : '';
    if (option === 'rbind') recursive = true;
    else if (ignored.has(option)) continue;
    else if (setting[option] !== undefined) attrs |= setting[option];
    else if (clearing[option] !== undefined) attrs &= ~clearing[option];
    else if (setting[deep] !== undefined) recursiveAttrs |= setting[deep];
    else if (propagationOf(option) !== undefined) propagation = propagationOf(option);
    else data.push(option);
  }
  return {
    attrs, recursiveAttrs, recursive, data, ...(propagation === undefined ? {} : { propagation }),
  };
}
