/** What a filter is installed with. */
import type { OciSeccomp } from '../oci.js';
import { seccompFilter } from './compile.js';

/** linux/seccomp.h */
const flags = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 32,
} as const;
const NEW_LISTENER = 8;

/** The specification's words. */
export const seccompFlagNames = Object.keys(flags) as readonly (keyof typeof flags)[];

/** A filter for seccomp(2), and the socket of who is told of calls that it does not decide. */
export interface InstalledFilter {
  readonly filter: Buffer;
  readonly flags: number;
  readonly listenerPath?: string;
}

/**
 * Without flags the kernel need not slow the process down against Spectre v4. TSYNC is of no use
 * for a process of one thread, and excludes a listener.
 */
export function installedFilter(seccomp: OciSeccomp): InstalledFilter {
  const { listenerPath, flags: names = [] } = seccomp;
  const given = names.length === 0 ? ['SECCOMP_FILTER_FLAG_SPEC_ALLOW'] : names;
  const asks = (seccomp.syscalls ?? []).some(({ action }) => action === 'SCMP_ACT_NOTIFY');
  const listener = asks && listenerPath !== undefined ? { listenerPath } : undefined;
  const sum = seccompFlagNames
    .filter((name) => given.includes(name) && name !== 'SECCOMP_FILTER_FLAG_TSYNC')
    .reduce((all, name) => all | flags[name], 0);
  return {
    filter: seccompFilter(seccomp),
    flags: listener === undefined
      ? sum & ~flags.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
      : sum | NEW_LISTENER,
    ...listener,
  };
}
