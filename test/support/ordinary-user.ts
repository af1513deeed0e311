/**
 * An ordinary user for a test, with subordinate ids and a session's folders. The machine stays as
 * it is: accounts, ids and programs are those of a mount namespace of the daemon under test.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isAlive } from './alive.js';
import { until } from './containers.js';
import { startDaemon, type DaemonOptions, type Test, type TestDaemon } from './daemon.js';
import { packageFolder } from './debian-package.js';

const project = fileURLToPath(new URL('../../..', import.meta.url));

/** A range of 65 536 for each of so many runs that may go on side by side. */
const run = process.pid % 4096;

/** Who it is, on no machine anybody else: all that runs as it is ended with the test. */
export const user = {
  name: 'tsd-ordinary', id: 50_000 + run, firstSubordinate: 1_700_000_000 + run * 65_536,
} as const;

/** What the world of the user lacks, on purpose, and what it has more. */
export interface UserWorld {
  /** Programs that are not installed. */
  readonly lackedTools?: readonly string[];
  readonly subordinateIds?: boolean;
  /** A folder of cgroup v2: each start is in a new group below it, which is the user's. */
  readonly group?: string;
  /** A systemd of the user's runs there, which has no units but those in this folder. */
  readonly units?: string;
}

/** As root, in a mount namespace; then the rest as the user. Any project or node can be read so. */
const script = `
files=$1 project=$2 home=$3 uid=$4 group=$5 units=$6; shift 6
if [ -n "$units" ] && [ ! -S "$home/run/systemd/private" ]; then
  cp -r "$units" "$files/units"
  chmod -R a+rX "$files/units"
  mkdir "$group/manager"
  chown "$uid" "$group/manager" "$group/manager/cgroup.procs" \\
    "$group/manager/cgroup.subtree_control"
  (
    sh -c 'echo $PPID' >"$group/manager/cgroup.procs"
    exec setpriv --reuid "$uid" --regid "$uid" --clear-groups -- env -i HOME="$home" \\
      XDG_RUNTIME_DIR="$home/run" SYSTEMD_UNIT_PATH="$files/units" PATH=/usr/bin:/bin \\
      /lib/systemd/systemd --user --unit=nothing.target --log-target=console
  ) </dev/null >"$files/manager.log" 2>&1 &
  for _ in $(seq 300); do [ -S "$home/run/systemd/private" ] && break; sleep 0.1; done
  [ -S "$home/run/systemd/private" ] || { cat "$files/manager.log" >&2; exit 1; }
fi
if [ -n "$group" ]; then
  own=$group/start-$$
  mkdir "$own"
  chown "$uid" "$own" "$own/cgroup.procs" "$own/cgroup.subtree_control" "$own/cgroup.threads"
  echo $$ >"$own/cgroup.procs"
fi
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/project; mount --bind "$project" /mnt/project
touch /mnt/node; mount --bind "$1" /mnt/node
cp -a "$files/bin" /mnt/bin
mknod /mnt/tun c 10 200; chmod 666 /mnt/tun
[ ! -e /dev/net/tun ] || mount --bind /mnt/tun /dev/net/tun
for file in passwd group subuid subgid; do
  [ -e /etc/$file ] && mount --bind "$files/$file" /etc/$file
done
program=/mnt/project/\${2#"$project"}; shift 2
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups -- env HOME="$home" \\
  XDG_RUNTIME_DIR="$home/run" PATH="/mnt/bin:/usr/bin:/bin" /mnt/node "$program" "$@"
`;

function append(path: string, from: string, line: string): void {
  fs.writeFileSync(path, `${fs.readFileSync(from, 'utf8')}${line}\n`);
}

async function copyPrograms(folder: string, lacks: readonly string[]): Promise<void> {
  fs.mkdirSync(folder);
  for (const name of ['uidmap', 'passt']) {
    const source = join(await packageFolder(name), 'usr/bin');
    for (const program of fs.readdirSync(source).filter((each) => !lacks.includes(each))) {
      const path = join(folder, program);
      fs.cpSync(join(source, program), path, { verbatimSymlinks: true });
      const stat = fs.lstatSync(join(source, program));
      // Copying leaves the setuid bit out.
      if (!stat.isSymbolicLink()) fs.chmodSync(path, stat.mode & 0o7777);
    }
  }
}

const lastSubordinate = user.firstSubordinate + 65_535;

/** Who runs as the user or as one of its subordinate ids; who has ended does not count. */
export function processesOfUser(): readonly number[] {
  return fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    const uid = fs.statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid ?? 0;
    const isOurs = uid === user.id || (uid >= user.firstSubordinate && uid <= lastSubordinate);
    return isOurs && isAlive(pid);
  });
}

/** Ends them, and those they begin meanwhile: the next test of this process is the same user. */
async function endAllOf(): Promise<void> {
  await until('all of the user have ended', async () => {
    const left = processesOfUser();
    for (const pid of left) spawnSync('kill', ['-KILL', String(pid)]);
    return left.length === 0;
  });
}

/** What a command goes through to be the user's: the node and the program follow. */
export async function asOrdinaryUser(
  t: Test,
  { lackedTools = [], subordinateIds = true, group = '', units = '' }: UserWorld = {},
): Promise<readonly string[]> {
  const files = fs.mkdtempSync(join(tmpdir(), 'tsd-user-'));
  t.teardown(async () => {
    await endAllOf();
    fs.rmSync(files, { recursive: true, force: true });
  });
  fs.chmodSync(files, 0o755);
  const home = join(files, 'home');
  for (const folder of [home, join(home, 'run')]) {
    fs.mkdirSync(folder, { mode: 0o700 });
    fs.chownSync(folder, user.id, user.id);
  }
  const account = `${user.name}:x:${user.id}:${user.id}::${home}:/bin/sh`;
  append(join(files, 'passwd'), '/etc/passwd', account);
  append(join(files, 'group'), '/etc/group', `${user.name}:x:${user.id}:`);
  const ids = subordinateIds ? `${user.name}:${user.firstSubordinate}:65536\n` : '';
  for (const name of ['subuid', 'subgid']) fs.writeFileSync(join(files, name), ids);
  await copyPrograms(join(files, 'bin'), lackedTools);
  const settings = [files, project, home, String(user.id), group, units];
  return ['unshare', '--mount', 'sh', '-euc', script, 'sh', ...settings];
}

/** A daemon of that user. Its namespaces go with the test. */
export async function startRootless(
  t: Test,
  options: DaemonOptions = {},
  world: UserWorld = {},
): Promise<TestDaemon> {
  return startDaemon(t, {
    ...options,
    through: await asOrdinaryUser(t, world),
    flags: ['--rootless', ...(options.flags ?? [])],
    owner: user.id,
    // What holds the namespaces stays for a while.
    mayLeak: true,
  });
}
