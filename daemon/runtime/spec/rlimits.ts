/** Resource limits of the process: names, numbers and the merge with the daemon's defaults. */
import { invalidParameter } from '../../../api-spec/errors.js';
import type { Ulimit } from '../../../api-spec/index.js';
import type { OciRlimit } from '../oci.js';

/** RLIMIT_* of asm-generic/resource.h, by the names that `--ulimit` takes. */
export const rlimitNumbers: Readonly<Record<string, number>> = {
  cpu: 0, fsize: 1, data: 2, stack: 3, core: 4, rss: 5, nproc: 6, nofile: 7, memlock: 8, as: 9,
  locks: 10, sigpending: 11, msgqueue: 12, nice: 13, rtprio: 14, rttime: 15,
};

/** No limit, as `--ulimit` writes RLIM_INFINITY. */
export const UNLIMITED = -1;

/** What the container asks for wins over the daemon's defaults. Throws `ApiError` 400. */
export function rlimits(own: readonly Ulimit[], defaults: readonly Ulimit[]): OciRlimit[] {
  const byName = new Map<string, OciRlimit>();
  for (const { Name = '', Soft = 0, Hard = 0 } of [...defaults, ...own]) {
    if (rlimitNumbers[Name] === undefined) throw invalidParameter(`invalid ulimit type: ${Name}`);
    if (Hard !== UNLIMITED && (Soft === UNLIMITED || Soft > Hard)) {
      throw invalidParameter(
        `ulimit soft limit must be less than or equal to hard limit: ${Soft} > ${Hard}`,
      );
    }
    byName.set(Name, { type: `RLIMIT_${Name.toUpperCase()}`, soft: Soft, hard: Hard });
  }
  return [...byName.values()];
}

/** The number of an `RLIMIT_…` name. */
export function rlimitNumber(type: string): number {
  const number = rlimitNumbers[type.replace(/^RLIMIT_/, '').toLowerCase()];
  if (number === undefined) throw invalidParameter(`invalid ulimit type: ${type}`);
  return number;
}
