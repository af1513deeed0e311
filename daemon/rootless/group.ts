/**
 * The control group of a daemon without privileges, where the machine has version 2 alone: what
 * was delegated to the user, by systemd or by hand. It becomes the root of what is seen inside. A
 * group that hands controllers down has no process in it (cgroups(7), "no internal processes"), so
 * who is no container moves to a leaf: the daemon, what holds the namespaces, and pasta.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../../native/errno-error.js';
import { readXattr } from '../../native/xattr.js';
import { enableControllers, isDelegated } from '../runtime/cgroup/delegation.js';
import { makeGroup, readPids, until, writeFile } from '../runtime/cgroup/files.js';
import { readCgroupLayout } from '../runtime/cgroup/layout.js';
import { moveToScope, userManager } from './scope.js';

/** Not a name that a daemon's containers have theirs below. */
const leafName = 'tsdocker-rootless';

/** Where version 2 is mounted inside. */
export const groupMount = '/sys/fs/cgroup';

/** The leaf, as it is seen inside. */
export const innerLeaf = join(groupMount, leafName);

/**
 * The folder of a process's group, from the texts of /proc/self/mountinfo and /proc/PID/cgroup;
 * undefined where version 1 is in use. Pure; throws when no cgroup file system is mounted.
 */
export function groupFolder(mountinfo: string, cgroup: string): string | undefined {
  const layout = readCgroupLayout(mountinfo);
  const path = /^0::(\/.*)$/m.exec(cgroup)?.[1];
  // One that begins so lies outside of our cgroup namespace.
  const isSeen = path !== undefined && !`${path}/`.startsWith('/../');
  if (layout.version === 1 || layout.mount === undefined || !isSeen) return undefined;
  return join(layout.mount, path);
}

function folderOf(pid: number | 'self'): string | undefined {
  const read = (path: string): string => readFileSync(path, 'utf8');
  return groupFolder(read('/proc/self/mountinfo'), read(`/proc/${pid}/cgroup`));
}

/** As systemd marks a group that it will not touch. (systemd's CGROUP_DELEGATION) */
function isMarked(folder: string): boolean {
  return readXattr(folder, 'user.delegate', 1)?.toString() === '1';
}

/**
 * The group that this process may make its own, perhaps after it was moved to a scope: the user's
 * systemd, where there is one, keeps what it has not marked for itself. Undefined without any.
 */
export async function claimGroup(warn: (message: string) => void): Promise<string | undefined> {
  const own = folderOf('self');
  if (own === undefined) return undefined;
  const isOurs = isDelegated(own);
  if (isOurs && isMarked(own)) return own;
  const scope = (await tryScope(warn)) ? folderOf('self') : undefined;
  if (scope !== undefined && isDelegated(scope)) return scope;
  return isOurs ? own : undefined;
}

async function tryScope(warn: (message: string) => void): Promise<boolean> {
  const manager = userManager();
  if (manager === undefined) return false;
  try {
    await moveToScope(manager);
    return true;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    warn(`systemd gives no scope with control groups: ${error.message}`);
    return false;
  }
}

/**
 * Moves who is in the group to its leaf, and hands all controllers down. After the namespace has
 * been made, whose root is the group that its process is in. Rejects with what the kernel refuses.
 */
export async function clearGroup(folder: string): Promise<void> {
  const leaf = join(folder, leafName);
  makeGroup(leaf);
  await until(`processes leave ${folder}`, () => {
    const pids = readPids(folder);
    // 0 is one that cannot be named here; written, it would be ourselves.
    for (const pid of pids.filter((each) => each !== 0)) move(pid, leaf);
    return pids.length === 0;
  });
  enableControllers(folder);
}

function move(pid: number, folder: string): void {
  try {
    writeFile(`${folder}/cgroup.procs`, String(pid));
  } catch (error) {
    // It has ended meanwhile.
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}

/**
 * Brings this process to the group of the one that holds the namespaces, for who enters a cgroup
 * namespace stays in its own group, and may then put nobody into one inside. False where there is
 * no such namespace; rejects, in words for the user, when the group cannot be reached from ours.
 */
export async function joinGroupOf(
  pid: number,
  warn: (message: string) => void,
): Promise<boolean> {
  const namespaceOf = (of: number | 'self'): string => readlinkSync(`/proc/${of}/ns/cgroup`);
  if (namespaceOf(pid) === namespaceOf('self')) return false;
  const folder = folderOf(pid);
  if (folder === undefined) throw new Error(`the control group of process ${pid} is not seen here`);
  if (tryJoin(folder)) return true;
  // From a login's group, which is root's, the user's systemd may fetch us.
  if ((await tryScope(warn)) && tryJoin(folder)) return true;
  throw new Error(
    `${folder}, where the containers are, cannot be entered from ${folderOf('self') ?? 'here'}: ` +
    'start tsdockerd as it was started before');
}

function tryJoin(folder: string): boolean {
  try {
    writeFile(`${folder}/cgroup.procs`, String(process.pid));
    return true;
  } catch (error) {
    if (hasCode(error, 'EACCES', 'EPERM', 'ENOENT')) return false;
    throw error;
  }
}
