/** Mount namespaces of tests, and what runtimes leave in them. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

/** Runs while somebody sleeps in a mount namespace of its own, whose file it is given. */
export async function withMounts(act: (path: string) => Promise<void>): Promise<void> {
  const child = spawn('unshare', ['--mount', 'sh', '-c', 'echo up; exec sleep 100']);
  try {
    await once(child.stdout, 'data');
    await act(`/proc/${child.pid ?? 0}/ns/mnt`);
  } finally {
    child.kill('SIGKILL');
  }
}

/** What a runtime has left in the mount namespace that is not its own. */
export function unmountBelow(folder: string): void {
  const places = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
    .map((line) => line.split(' ')[4] ?? '').filter((place) => place.startsWith(`${folder}/`));
  for (const place of places.reverse()) execFileSync('umount', ['-l', place]);
}
