/**
 * Programs of Debian packages as if they were installed, without that: in a mount namespace of
 * their own `/usr` and `/etc` have the unpacked files on top.
 */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { packageCache } from './debian-package.js';
import { ended, ownRuntime, removeGroups, type Ended } from './oci-bundle.js';

const TIMEOUT_MS = 60_000;

const script = `
set -e
mount --make-rprivate /
for name in usr usr/lib etc; do
  from=$1/$name
  [ "$name" != usr/lib ] || from=$1/lib
  [ ! -d "$from" ] || mount -t overlay installed -o "lowerdir=$from:/$name" "/$name"
done
# What keeps its sockets at a fixed place has one of its own.
mkdir -p "$2/run" /run/containerd
mount --bind "$2/run" /run/containerd
# Where dockerd keeps a key.
[ ! -d /etc/docker ] || mount -t tmpfs installed /etc/docker
shift 2
exec "$@"
`;

/** A place to work in, and how to run things there. */
export interface Installed {
  readonly folder: string;
  /** A root file system with busybox. */
  readonly rootfs: string;
  /** Our OCI runtime's program. */
  readonly runtime: string;
  /** argv that runs what follows with the packages in place. */
  readonly command: readonly string[];
  /** Runs it to its end, without input. */
  readonly call: (...words: readonly string[]) => Promise<Ended>;
}

/**
 * The packages of this folder of the cache; the place is gone when the test ends, and so are the
 * control groups that the engine makes for all its containers.
 */
export function asInstalled(t: Test, name: string, groups: string): Installed {
  const folder = fs.mkdtempSync(join(tmpdir(), 'tsd-'));
  t.teardown(() => {
    removeGroups(groups);
    fs.rmSync(folder, { recursive: true, force: true });
  });
  const rootfs = join(folder, 'rootfs');
  fs.mkdirSync(join(rootfs, 'bin'), { recursive: true });
  fs.copyFileSync('/usr/bin/busybox', join(rootfs, 'bin/busybox'));
  for (const applet of ['sh', 'id', 'tty', 'sleep'])
    fs.symlinkSync('busybox', join(rootfs, 'bin', applet));
  const [runtime = ''] = ownRuntime.command;
  const command = [
    'unshare', '--mount', 'sh', '-c', script, 'sh', join(packageCache, name), folder,
  ];
  return {
    folder, rootfs, runtime, command,
    call: (...words) => {
      const child = spawn(command[0] ?? '', [...command.slice(1), ...words], {
        cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], timeout: TIMEOUT_MS,
        env: { ...process.env, HOME: folder, TMPDIR: folder },
      });
      return ended(child);
    },
  };
}
