/** The programs that package.json names, as anybody starts them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly bin: Readonly<Record<string, string>>;
};

test('each program runs with plain node, from anywhere', async (t) => {
  t.same(Object.keys(bin), ['tsdockerd', 'tsdocker', 'tsdocker-runtime']);
  for (const [name, path] of Object.entries(bin)) {
    const argv = [join(root, path), '--version'];
    const { status, stdout, stderr } = spawnSync(process.execPath, argv, {
      cwd: '/', encoding: 'utf8', timeout: 60_000, env: { PATH: process.env['PATH'] },
    });
    t.match({ status, stderr, stdout }, { status: 0, stderr: '', stdout: /\d+\.\d+\.\d+/ }, name);
  }
});

/** Runs a command again and again; the least processor time of one of them, in milliseconds. */
const least = `
import os, sys
rounds, argv = int(sys.argv[1]), sys.argv[2:]
null = os.open('/dev/null', os.O_RDWR)
times = []
for _ in range(rounds):
    pid = os.posix_spawn(argv[0], argv, os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)])
    usage = os.wait4(pid, 0)[2]
    times.append(usage.ru_utime + usage.ru_stime)
print(min(times) * 1000)
`;

function leastMs(...words: readonly string[]): number {
  const argv = ['-c', least, '9', process.execPath, ...words];
  const { status, stdout, stderr } = spawnSync('python3', argv, {
    encoding: 'utf8', timeout: 120_000, env: { ...process.env, DOCKER_HOST: 'unix:///none' },
  });
  if (status !== 0) throw new Error(stderr);
  return Number(stdout);
}

// Time of the processor, not of the clock: the machine may be busy with other things. They take
// their share of its caches too: where Node itself takes longer, so may we.
test('tsdocker starts within 60 ms over Node\'s own start', async (t) => {
  const program = join(root, bin['tsdocker'] ?? '');
  const nodeMs = leastMs('-e', '0');
  const ownMs = leastMs(program, 'ps') - nodeMs;
  t.ok(ownMs <= Math.max(60, nodeMs), `${ownMs.toFixed(1)} ms`);
  t.comment(`${ownMs.toFixed(1)} ms`);
});

const cross = 'aarch64-linux-gnu-';

test('all C compiles for arm64 without a warning', {
  skip: spawnSync(`${cross}gcc`, ['--version']).error !== undefined &&
    'no cross compiler: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross',
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tsd-arm64-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'native/build.mjs')], {
    encoding: 'utf8', env: { ...process.env, CROSS_COMPILE: cross, NATIVE_OUT: folder },
  });
  t.match({ status, stderr }, { status: 0, stderr: '' });
  t.equal(readdirSync(folder).length, 4);
});

test('the demo shows what the README says, and leaves nothing', {
  skip: process.getuid?.() === 0 ? false : 'the demo needs root',
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tsd-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const program = fileURLToPath(new URL('../support/demo.js', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [program], {
    encoding: 'utf8', timeout: 200_000, env: { ...process.env, TMPDIR: folder },
  });
  t.equal(status, 0, stderr);
  for (const words of [
    /published port, a volume and \d+ MiB: started in [\d.]+ ms/, /→ {2}Hello from a container/,
    /the next one reads «kept»/, /the web server is running/, /without network: [\d.]+ ms/,
    /with a published port: [\d.]+ ms/, /Everything is stopped and removed\.\n$/,
  ]) t.match(stdout, words);
  t.same(readdirSync(folder), []);
});

/** Kinds of a program's segments (elf(5)); a static one names no interpreter. */
const interpreterKind = 3;

test('the shim is one static program of at most 200 KB', async (t) => {
  const bytes = readFileSync(join(root, 'dist/native/tsdocker-shim'));
  const [begin, each, count] = [
    Number(bytes.readBigUInt64LE(32)), bytes.readUInt16LE(54), bytes.readUInt16LE(56),
  ];
  const kinds = Array.from({ length: count }, (_, at) => bytes.readUInt32LE(begin + at * each));
  t.notOk(kinds.includes(interpreterKind));
  const hasMusl = spawnSync('musl-gcc', ['--version'], { timeout: 60_000 }).status === 0;
  t.ok(bytes.length <= 200 * 1024, `${bytes.length} bytes`, {
    skip: hasMusl ? false : 'there is no musl: the C library of the machine is larger',
  });
});
