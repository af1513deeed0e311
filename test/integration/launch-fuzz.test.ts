/** The shim's decoder, given what no compiler of ours would make. */
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { encodeLaunch } from '../../native/shim/protocol.js';
import { FUZZ_SECONDS } from '../support/fuzz-seconds.js';
import { containerProgram, monitorIn, shell } from '../support/launch-programs.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const sources = [
  'test/support/launch-fuzz.c', 'native/shim/decode.c', 'native/shim/settings.c',
].map((path) => join(root, path));
const common = ['-std=gnu11', '-D_GNU_SOURCE', '-O1', '-g', `-I${join(root, 'native/shim')}`];

/** libFuzzer where there is clang, else our own changes under gcc's sanitizers. */
const ways = [
  {
    compiler: 'clang', flags: ['-fsanitize=fuzzer,address,undefined'],
    run: (seeds: string) => [`-max_total_time=${FUZZ_SECONDS}`, '-max_len=1048576', seeds],
  },
  {
    compiler: 'gcc', flags: ['-fsanitize=address,undefined', '-fno-sanitize-recover', '-DALONE'],
    run: (seeds: string) => [join(seeds, 'launch'), String(FUZZ_SECONDS)],
  },
] as const;

test('no launch message makes the decoder read what is not there', { timeout: 240_000 }, (t) => {
  const folder = fs.mkdtempSync(join(tmpdir(), 'tsd-fuzz-'));
  t.teardown(() => fs.rmSync(folder, { recursive: true }));
  const seeds = join(folder, 'seeds');
  fs.mkdirSync(seeds);
  const container = { rootfs: folder, argv: shell('exit 0') };
  const settings = monitorIn(folder, container);
  const message = encodeLaunch(containerProgram(container), settings, { slots: [], held: [] });
  fs.writeFileSync(join(seeds, 'launch'), message);
  const fuzzer = join(folder, 'fuzzer');
  const way = ways.find(({ compiler, flags }) => {
    const args = [...common, ...flags, '-o', fuzzer, ...sources];
    return spawnSync(compiler, args, { stdio: 'ignore' }).status === 0;
  });
  if (way === undefined) {
    t.pass('', { skip: 'neither clang with libFuzzer nor gcc with its sanitizers' });
  } else {
    t.doesNotThrow(() => execFileSync(fuzzer, way.run(seeds), { stdio: 'pipe', cwd: folder }));
  }
  t.end();
});
