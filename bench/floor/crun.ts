import { execFile, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
let count = 0;

/** A bundle that runs a static `true`, or undefined where there is no crun. */
export function makeCrunBundle(folder: string): string | undefined {
  if (spawnSync('crun', ['--version']).status !== 0) return undefined;
  const bin = join(folder, 'rootfs', 'bin');
  mkdirSync(bin, { recursive: true });
  copyFileSync('/bin/busybox', join(bin, 'true'));
  const spec = spawnSync('crun', ['spec'], { cwd: folder, encoding: 'utf8' });
  if (spec.status !== 0) throw new Error(`crun spec: ${spec.stderr}`);
  const path = join(folder, 'config.json');
  const config = JSON.parse(readFileSync(path, 'utf8')) as { readonly process: object };
  const process = { ...config.process, terminal: false, args: ['/bin/true'] };
  writeFileSync(path, JSON.stringify({ ...config, process }));
  return folder;
}

/** create, start, wait, delete in one: crun's own way. */
export async function runWithCrun(bundle: string): Promise<void> {
  count += 1;
  const words = ['run', '--bundle', bundle, `tsbench-${process.pid}-${count}`];
  await run('crun', words, { timeout: 10_000 });
}
