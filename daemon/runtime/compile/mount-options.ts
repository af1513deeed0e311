/** Mount options as a configuration lists them, sorted by who takes them. Pure. */
import * as kernel from './kernel.js';

/** What mount_setattr(2) is to do: what it clears comes before what it sets. */
export interface MountAttrs {
  readonly set: number;
  readonly clear: number;
}

/** What the options of one mount come to. */
export interface MountOptions {
  /** MOUNT_ATTR_* of the mount itself. */
  readonly own: MountAttrs;
  /** Of it and everything below. */
  readonly below: MountAttrs;
  /** MS_SHARED, MS_SLAVE, … */
  readonly propagation?: { readonly type: number; readonly recursive: boolean };
  /** `rbind` in place of `bind`. */
  readonly recursive: boolean;
  /** For the filesystem: `key` or `key=value`. */
  readonly data: readonly string[];
}

const sets = (set: number): MountAttrs => ({ set, clear: 0 });
const clears = (clear: number): MountAttrs => ({ set: 0, clear });
/** Of these times one holds; the kernel wants the others cleared. */
const time = (set: number): MountAttrs => ({ set, clear: kernel.MOUNT_ATTR__ATIME });

/** With an `r` in front each of them holds for everything below as well. */
const attrs: Readonly<Record<string, MountAttrs>> = {
  ro: sets(kernel.MOUNT_ATTR_RDONLY), rw: clears(kernel.MOUNT_ATTR_RDONLY),
  nosuid: sets(kernel.MOUNT_ATTR_NOSUID), suid: clears(kernel.MOUNT_ATTR_NOSUID),
  nodev: sets(kernel.MOUNT_ATTR_NODEV), dev: clears(kernel.MOUNT_ATTR_NODEV),
  noexec: sets(kernel.MOUNT_ATTR_NOEXEC), exec: clears(kernel.MOUNT_ATTR_NOEXEC),
  nodiratime: sets(kernel.MOUNT_ATTR_NODIRATIME), diratime: clears(kernel.MOUNT_ATTR_NODIRATIME),
  nosymfollow: sets(kernel.MOUNT_ATTR_NOSYMFOLLOW),
  symfollow: clears(kernel.MOUNT_ATTR_NOSYMFOLLOW),
  noatime: time(kernel.MOUNT_ATTR_NOATIME), strictatime: time(kernel.MOUNT_ATTR_STRICTATIME),
  atime: time(0), relatime: time(0), nostrictatime: time(0), norelatime: sets(0),
};

const propagations: Readonly<Record<string, number>> = {
  shared: kernel.MS_SHARED,
  slave: kernel.MS_SLAVE,
  private: kernel.MS_PRIVATE,
  unbindable: kernel.MS_UNBINDABLE,
};

/** What is said elsewhere, or says nothing. */
const ignored: ReadonlySet<string> = new Set([
  '', 'defaults', 'bind', 'idmap', 'ridmap', 'tmpcopyup', 'remount', 'silent', 'loud',
  'iversion', 'noiversion',
]);

/** All that a mount may have besides what its filesystem takes. */
export const mountOptionNames: readonly string[] = [
  'bind', 'rbind', 'defaults', 'idmap', 'ridmap', 'tmpcopyup', 'remount', 'silent', 'loud',
  'iversion', 'noiversion',
  ...[...Object.keys(attrs), ...Object.keys(propagations)].flatMap((name) => [name, `r${name}`]),
  'async', 'dirsync', 'lazytime', 'mand', 'nolazytime', 'nomand', 'sync',
].sort();

/** The option without its `r`, and whether it had one. */
function find<T>(
  table: Readonly<Record<string, T>>,
  option: string,
): { readonly found: T; readonly deep: boolean } | undefined {
  const named = (name: string): T | undefined =>
    Object.hasOwn(table, name) ? table[name] : undefined;
  const own = named(option);
  if (own !== undefined) return { found: own, deep: false };
  const below = option.startsWith('r') ? named(option.slice(1)) : undefined;
  return below === undefined ? undefined : { found: below, deep: true };
}

/** The words by which a mount says how it is shared with its copies. */
export const propagationNames: readonly string[] =
  Object.keys(propagations).flatMap((name) => [name, `r${name}`]);

const added = (to: MountAttrs, { set, clear }: MountAttrs): MountAttrs => ({
  set: (to.set & ~clear) | set, clear: to.clear | clear,
});

/** Of contradicting options the last holds. */
export function parseMountOptions(options: readonly string[]): MountOptions {
  let own = sets(0);
  let below = sets(0);
  let propagation: MountOptions['propagation'];
  const data: string[] = [];
  for (const option of options) {
    if (option === 'rbind' || ignored.has(option)) continue;
    const attr = find(attrs, option);
    const spread = find(propagations, option);
    if (attr?.deep === true) below = added(below, attr.found);
    else if (attr !== undefined) own = added(own, attr.found);
    else if (spread !== undefined) propagation = { type: spread.found, recursive: spread.deep };
    else data.push(option);
  }
  return {
    own, below, recursive: options.includes('rbind'), data,
    ...(propagation === undefined ? {} : { propagation }),
  };
}
