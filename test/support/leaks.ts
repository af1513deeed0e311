/**
 * What a daemon has left in the kernel, found by the names that carry its root's id and by the
 * paths of its roots: links, nft table, cgroups, mounts, processes.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync, readFileSync, readdirSync, readlinkSync, realpathSync, rmdirSync,
} from 'node:fs';
import { join } from 'node:path';

/** Where a daemon keeps its things. */
export interface Roots {
  readonly dataRoot: string;
  readonly execRoot: string;
}

/** The id by which all names of a daemon are derived. */
export function rootIdOf(dataRoot: string): string {
  return createHash('sha256').update(realpathSync(dataRoot)).digest('hex').slice(0, 8);
}

/** What vanishes while it is looked at is not there. */
function lines(read: () => readonly string[]): readonly string[] {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && 'code' in error) return [];
    throw error;
  }
}

const words = (path: string): readonly string[] =>
  lines(() => readFileSync(path, 'utf8').split('\n'));

function links(rootId: string): readonly string[] {
  return readdirSync('/sys/class/net').filter((name) =>
    words(`/sys/class/net/${name}/ifalias`).some((alias) =>
      alias.startsWith(`tsdocker:${rootId}:`),
    ),
  );
}

/** None in a kernel without nftables. */
function listedTables(): readonly string[] {
  try {
    return execFileSync('nft', ['list', 'tables'], { encoding: 'utf8', stdio: 'pipe' }).split('\n');
  } catch (error) {
    if (String(error).includes('cache initialization failed: Invalid argument')) return [];
    throw error;
  }
}

function tables(rootId: string): readonly string[] {
  return lines(listedTables)
    .filter((line) => line.includes(`tsdocker-${rootId}`))
    .map((line) => line.replace(/^table /, ''));
}

/** Directories of hierarchies on which cgroups may lie: v1's controllers, or v2's one. */
function cgroupRoots(): readonly string[] {
  const mounts = words('/proc/self/mountinfo').filter((line) => / - cgroup2? /.test(line));
  return mounts.map((line) => line.split(' ')[4] ?? '').filter((path) => path !== '');
}

function treeOf(path: string): readonly string[] {
  const inner = lines(() =>
    readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(path, entry.name)),
  );
  return [path, ...inner.flatMap(treeOf)];
}

function cgroups(rootId: string): readonly string[] {
  return cgroupRoots().flatMap((root) =>
    lines(() => readdirSync(root))
      .filter((name) => name.includes(`tsdocker-${rootId}`))
      .flatMap((name) => treeOf(join(root, name))),
  );
}

function mounts({ dataRoot, execRoot }: Roots): readonly string[] {
  return words('/proc/self/mountinfo')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(dataRoot) || path.startsWith(execRoot));
}

/** Processes that have something open under the roots, by pid: shims, and what they run. */
export function processesOf(roots: Roots, except: readonly number[] = []): readonly number[] {
  const belongs = (path: string): boolean =>
    path.startsWith(`${roots.dataRoot}/`) || path.startsWith(`${roots.execRoot}/`);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      const paths = lines(() => readdirSync(`/proc/${pid}/fd`)).flatMap((fd) =>
        lines(() => [readlinkSync(`/proc/${pid}/fd/${fd}`)]),
      );
      const cgroup = words(`/proc/${pid}/cgroup`).some((line) =>
        line.includes(`tsdocker-${rootIdOf(roots.dataRoot)}/`),
      );
      return cgroup || paths.some(belongs);
    })
    .map(Number)
    .filter((pid) => !except.includes(pid));
}

function nameOf(pid: number): string {
  return `process ${pid} (${words(`/proc/${pid}/comm`)[0] ?? 'gone'})`;
}

/**
 * Everything that is left, a sentence each; empty when there is nothing. With `daemonPid` the
 * daemon is alive: it and what it keeps for itself (its bridge, table and cgroup parent) is none.
 */
export function leaks(roots: Roots, daemonPid?: number): readonly string[] {
  const rootId = rootIdOf(roots.dataRoot);
  const except = daemonPid === undefined ? [] : [daemonPid];
  const found = [
    ...mounts(roots).map((path) => `mount ${path}`),
    ...processesOf(roots, except).map(nameOf),
    ...cgroups(rootId)
      .filter((path) => /\/[0-9a-f]{64}(\/|$)/.test(path))
      .map((path) => `cgroup ${path}`),
  ];
  const isEndpoint = (name: string): boolean => {
    // A bridge stays for as long as its network; the host's end of a container's link must not.
    return lines(() => readdirSync(`/sys/class/net/${name}/bridge`)).length === 0;
  };
  return [...found, ...links(rootId).filter(isEndpoint).map((name) => `link ${name}`)];
}

/** Removes by force what a daemon and its containers left; for the end of a test, after `leaks`. */
export function removeLeaks(roots: Roots): void {
  const rootId = rootIdOf(roots.dataRoot);
  for (const pid of processesOf(roots)) lines(() => [String(process.kill(pid, 'SIGKILL'))]);
  for (const path of [...mounts(roots)].reverse()) execFileSync('umount', ['-l', path]);
  for (const name of links(rootId)) removeLink(name);
  for (const table of tables(rootId)) execFileSync('nft', ['delete', 'table', ...table.split(' ')]);
  for (const path of [...cgroups(rootId)].reverse()) {
    lines(() => {
      rmdirSync(path);
      return [];
    });
  }
}

/** A veth may go just then, with the namespace of its other end. */
function removeLink(name: string): void {
  try {
    execFileSync('ip', ['link', 'del', name], { stdio: 'pipe' });
  } catch (error) {
    if (existsSync(`/sys/class/net/${name}`)) throw error;
  }
}
