/** Carries out a mount recipe as the shim would, in a mount namespace that ends with the script. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { overlayData } from '../../native/overlay.js';
import type { LayersRecipe, LayerStack, MountRecipe } from '../../storage-drivers/driver.js';

const run = promisify(execFile);

/** Debian 13's mount(8) goes the new way, where no option is longer than 255 bytes. */
const oldMount = { LIBMOUNT_FORCE_MOUNT2: 'always' };

/** Runs a shell script with the root file system as its working directory; returns its stdout. */
export async function insideRootfs(
  recipe: MountRecipe | LayersRecipe,
  script: string,
): Promise<string> {
  const target = await mkdtemp(join(tmpdir(), 'tsdocker-rootfs-'));
  try {
    const args = recipe.kind === 'bind' ? bind(recipe.source, target) : overlay(recipe, target);
    const steps = `cd "$1" && shift && T="$1" && shift && mount "$@" "$T" && cd "$T" && ${script}`;
    const { stdout } = await run(
      'unshare',
      ['-m', '--propagation', 'private', 'sh', '-euc', steps, 'sh', ...args],
      { timeout: 60_000, maxBuffer: 16 * 2 ** 20, env: { ...process.env, ...oldMount } },
    );
    return stdout;
  } finally {
    await rm(target, { recursive: true });
  }
}

function bind(source: string, target: string): string[] {
  return ['/', target, '--bind', source];
}

function overlay(recipe: LayerStack, target: string): string[] {
  return [recipe.shortNames.dir, target, '-t', 'overlay', '-o', overlayData(recipe), 'overlay'];
}
