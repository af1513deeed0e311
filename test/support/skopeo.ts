/** skopeo, from Debian's package: the reader of images that is not ours. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { libraryFolder, packageFolder } from './debian-package.js';
import type { Test } from './compat.js';

/** A folder that goes with the test. */
export async function temporaryFolder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'tsdocker-readers-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Runs `skopeo ARGS`; what it prints. Rejects when it fails. */
export async function skopeo(t: Test, args: readonly string[]): Promise<string> {
  const unpacked = await packageFolder('skopeo');
  const env = { ...process.env, LD_LIBRARY_PATH: await libraryFolder(unpacked) };
  const own = ['--insecure-policy', '--tmpdir', await temporaryFolder(t)];
  const program = join(unpacked, 'usr/bin/skopeo');
  const { stdout } = await promisify(execFile)(program, [...own, ...args], { env });
  return stdout;
}
