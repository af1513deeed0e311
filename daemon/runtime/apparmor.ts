/**
 * The profile of AppArmor that containers have unless they ask for another one. The kernel holds
 * it, not a file of the host's: whoever reloads the host's profiles drops it, so that it is looked
 * for at every start, as Docker does.
 */
import { execFile } from 'node:child_process';
import * as fs from 'node:fs';
import { systemError } from '../../api-spec/errors.js';
import { findProgram } from '../../native/find-program.js';

/** By Docker's name, so that its engine and this one share it. */
export const DEFAULT_PROFILE = 'docker-default';

const LOADED = '/sys/kernel/security/apparmor/profiles';
const TIMEOUT_MS = 30_000;

const flags = 'attach_disconnected,mediate_deleted';

/**
 * What Docker's profile allows and denies: everything that the other walls of a container leave,
 * without writes to the kernel's files in /proc and /sys, and without mounts.
 */
export const defaultProfile = `profile ${DEFAULT_PROFILE} flags=(${flags}) {
  network,
  capability,
  file,
  umount,

  # The engine and what it starts end containers.
  signal (receive) peer=unconfined,
  signal (receive) peer=crun,
  signal (receive) peer=runc,
  signal (send,receive) peer=${DEFAULT_PROFILE},
  ptrace (trace,read,tracedby,readby) peer=${DEFAULT_PROFILE},

  deny mount,

  # Files of /proc itself, folders that are no process's, and parameters but shared memory's.
  deny /proc/* w,
  deny /proc/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9/]*}/** w,
  deny /proc/sys/[^k]** w,
  deny /proc/sys/kernel/{?,??,[^s][^h][^m]**} w,
  deny /proc/sysrq-trigger rwklx,
  deny /proc/kcore rwklx,

  # Of /sys only the control groups may be written to.
  deny /sys/[^f]*/** wklx,
  deny /sys/f[^s]*/** wklx,
  deny /sys/fs/[^c]*/** wklx,
  deny /sys/fs/c[^g]*/** wklx,
  deny /sys/fs/cg[^r]*/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,
  deny /sys/kernel/security/** rwklx,
}
`;

/** The program that loads profiles; undefined where there is none, or where only the host may. */
export function findParser(idMap: string, path = process.env['PATH'] ?? ''): string | undefined {
  if (!/^\s*0\s+0\s+4294967295\s*$/.test(idMap)) return undefined;
  return findProgram('apparmor_parser', ['/usr/sbin', '/sbin'], path);
}

/** The kernel knows the default profile afterwards. Throws `ApiError`, in Docker's words. */
export async function ensureDefaultProfile(parser: string): Promise<void> {
  if (fs.readFileSync(LOADED, 'utf8').split('\n').some(isDefault)) return;
  const failure = await load(parser);
  if (failure === undefined) return;
  const what = `AppArmor enabled on system but the ${DEFAULT_PROFILE} profile could not be loaded`;
  throw systemError(`${what}: ${failure}`);
}

const isDefault = (line: string): boolean => line.startsWith(`${DEFAULT_PROFILE} (`);

/** Why it cannot be; undefined when it has been. Doing it twice does no harm. */
function load(parser: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = execFile(parser, ['-K', '-r'], { timeout: TIMEOUT_MS }, (error, _out, stderr) =>
      resolve(error === null ? undefined : `${error.message} ${stderr}`.trim()));
    // One that ends before it has read everything has said why.
    child.stdin?.on('error', () => undefined).end(defaultProfile);
  });
}
