/** Paths of `docker cp`, and what is at them, as Docker spells both. Pure. */
import type { ContainerPathStat } from '../../api-spec/index.js';
import type { FileStat } from '../../native/unpack/index.js';

/**
 * Absolute and clean, but for a last slash or `/.`: these mean what a link leads to, and with `/.`
 * what is in a folder rather than the folder.
 */
export function archivePath(asked: string): string {
  const parts: string[] = [];
  for (const part of asked.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  const path = `/${parts.join('/')}`;
  const slashed = path === '/' ? path : `${path}/`;
  if (/(^|\/)\.\/*$/.test(asked)) return `${slashed}.`;
  return asked.endsWith('/') ? slashed : path;
}

/** The last name of a path as Go sees it: `/` and `.` have one too. */
export function baseOf(path: string): string {
  return path.replace(/\/+$/, '').split('/').at(-1) || '/';
}

const S_IFMT = 0o170000;

/** Go's bits for kinds of files, by the kernel's. */
const kinds: ReadonlyMap<number, number> = new Map([
  [0o040000, 2 ** 31],
  [0o120000, 2 ** 27],
  [0o060000, 2 ** 26],
  [0o020000, 2 ** 26 + 2 ** 21],
  [0o010000, 2 ** 25],
  [0o140000, 2 ** 24],
]);

/** As in the header; `mode` is Go's FileMode. */
export function statShape(path: string, stat: FileStat): ContainerPathStat {
  return {
    name: baseOf(path),
    size: stat.sizeBytes,
    mode: goMode(stat.mode),
    mtime: goTime(stat.mtimeNs),
    linkTarget: stat.linkTarget,
  };
}

/** Go's FileMode: permissions below, its own bits for the rest. */
export function goMode(mode: number): number {
  const special =
    ((mode & 0o4000) !== 0 ? 2 ** 23 : 0) +
    ((mode & 0o2000) !== 0 ? 2 ** 22 : 0) +
    ((mode & 0o1000) !== 0 ? 2 ** 20 : 0);
  return (kinds.get(mode & S_IFMT) ?? 0) + special + (mode & 0o777);
}

/** RFC 3339 with as many digits as there are. */
export function goTime(nanoseconds: bigint): string {
  const billion = 1_000_000_000n;
  const fraction = ((nanoseconds % billion) + billion) % billion;
  const seconds = new Date(Number((nanoseconds - fraction) / 1_000_000n)).toISOString();
  const digits = String(fraction).padStart(9, '0').replace(/0+$/, '');
  return `${seconds.slice(0, 19)}${digits === '' ? '' : `.${digits}`}Z`;
}
