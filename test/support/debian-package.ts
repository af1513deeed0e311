/** Programs and files of Debian packages, for tests: unpacked into a cache, never installed. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const downloadTimeoutMs = 120_000;

/** Where libraries are in an unpacked package, for `LD_LIBRARY_PATH`. */
export async function libraryFolder(folder: string): Promise<string> {
  const below = join(folder, 'usr/lib');
  const found = (await readdir(below)).find((name) => name.endsWith('-linux-gnu'));
  return join(below, found ?? '');
}

/** Where the set-up has unpacked packages; each has a folder of its own. */
export const packageCache =
  process.env['TSDOCKER_TEST_CACHE'] ??
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'tsdocker-test');

/** Why tests that want these are skipped; false when all are there. */
export function lacking(...names: readonly string[]): string | false {
  const missing = names.filter((name) => !existsSync(join(packageCache, name)));
  return missing.length > 0 && `not in the cache of packages: ${missing.join(', ')}`;
}

/** The folder with the files of one package; fetched by apt if the set-up was not run. */
export async function packageFolder(name: string): Promise<string> {
  const cache = packageCache;
  const folder = join(cache, name);
  if (await isThere(folder)) return folder;
  await mkdir(cache, { recursive: true });
  const scratch = await mkdtemp(join(cache, 'download-'));
  try {
    const options = { cwd: scratch, timeout: downloadTimeoutMs };
    await run('apt-get', ['-o', 'APT::Sandbox::User=root', 'download', name], options);
    const file = (await readdir(scratch)).find((each) => each.endsWith('.deb'));
    if (file === undefined) throw new Error('apt-get download gave no package');
    await run('dpkg', ['-x', join(scratch, file), join(scratch, 'unpacked')]);
    await rename(join(scratch, 'unpacked'), folder).catch(async (error: unknown) => {
      // Another test was faster.
      if (!(await isThere(folder))) throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return folder;
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
