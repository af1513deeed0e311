/** A group of cgroup v2 that is an ordinary user's, as systemd has one for each user. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { until } from './containers.js';
import type { Test } from './daemon.js';
import { user } from './ordinary-user.js';

const mount = '/sys/fs/cgroup';

/** Which are handed down to it. */
export const controllers = ['cpu', 'memory', 'pids'] as const;

/** Why there can be none here; false when there can. */
export function skipWithoutGroups(): string | false {
  if (process.getuid?.() !== 0) return 'only root can become another user';
  return !fs.existsSync(join(mount, 'cgroup.controllers')) && 'cgroup v2 is not alone here';
}

/** A file, without blanks around it. */
export const read = (path: string): string => fs.readFileSync(path, 'utf8').trim();

/** Who is right in a group. */
export const pidsIn = (folder: string): readonly string[] =>
  read(join(folder, 'cgroup.procs')).split('\n').filter((pid) => pid !== '');

/** Paths of the groups right below. */
export function childrenOf(folder: string): readonly string[] {
  return fs.readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(folder, name));
}

function handDown(folder: string): void {
  const words = controllers.map((each) => `+${each}`).join(' ');
  fs.writeFileSync(join(folder, 'cgroup.subtree_control'), words);
}

async function removeTree(folder: string): Promise<void> {
  fs.writeFileSync(join(folder, 'cgroup.kill'), '1');
  const events = join(folder, 'cgroup.events');
  await until(`${folder} is empty`, async () => /populated 0/.test(read(events)));
  const remove = (each: string): void => {
    childrenOf(each).forEach(remove);
    fs.rmdirSync(each);
  };
  remove(folder);
}

/** Makes one, in which each start of a daemon gets one of its own; it goes with the test. */
export function session(t: Test): string {
  handDown(mount);
  const folder = fs.mkdtempSync(join(mount, 'tsd-user-'));
  t.teardown(() => removeTree(folder));
  for (const name of ['', 'cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads']) {
    fs.chownSync(join(folder, name), user.id, user.id);
  }
  fs.chmodSync(folder, 0o755);
  handDown(folder);
  return folder;
}

/** The group below that has become the root of what a daemon sees. Throws unless it is one. */
export function ownGroup(folder: string): string {
  const all = (each: string): readonly string[] => [each, ...childrenOf(each).flatMap(all)];
  const found = all(folder).filter((each) => fs.existsSync(join(each, 'tsdocker-rootless')));
  const [own] = found;
  if (own === undefined || found.length > 1) {
    throw new Error(`groups with a leaf in ${folder}: ${found.join(' ') || 'none'}`);
  }
  return own;
}
