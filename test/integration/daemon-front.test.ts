import { spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync, existsSync, mkdirSync, readFileSync, statSync, utimesSync, writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { claimDataRoot } from '../../daemon/data-root.js';
import { textLine } from '../../daemon/daemon-log.js';
import { tryLockFile } from '../../native/file-lock.js';

const program = fileURLToPath(new URL('../../daemon/tsdockerd.cjs', import.meta.url));

function tsdockerd(...argv: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...argv], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  return { status, stdout, stderr };
}

test('a bad flag or key ends it with status 1 and the reason', async (t) => {
  const directory = t.testdir({ 'bad.json': '{"foo": 1}' });
  t.match(tsdockerd('--foo'), {
    status: 1,
    stdout: '',
    stderr: /^tsdockerd: unknown flag: --foo\n/,
  });
  t.match(tsdockerd('--validate', '--config-file', join(directory, 'bad.json')), {
    status: 1,
    stderr: /don't match any configuration option: foo/,
  });
  t.match(tsdockerd('--validate', '--log-driver', 'nope'), {
    status: 1,
    stderr: /logger: no log driver named 'nope' is registered/,
  });
});

test('what is asked for is printed on standard output', async (t) => {
  t.match(tsdockerd('--version'), {
    status: 0,
    stdout: /^tsdockerd version \d+\.\d+\.\d+\n$/,
    stderr: '',
  });
  t.match(tsdockerd('--help'), { status: 0, stdout: /--storage-driver/, stderr: '' });
  t.match(tsdockerd('--validate'), { status: 0, stdout: 'configuration OK\n' });
});

test('two daemons never share a data root', async (t) => {
  const directory = t.testdir();
  const roots = (name: string) => ({
    dataRoot: join(directory, name),
    execRoot: join(directory, `${name}-x`),
    pidfile: join(directory, `${name}.pid`),
  });
  const claim = claimDataRoot(roots('a'));
  t.teardown(() => claim.release());
  t.throws(() => claimDataRoot({ ...roots('a'), pidfile: undefined }), {
    message: /a belongs to another tsdockerd/,
  });
  t.throws(() => claimDataRoot({ ...roots('b'), execRoot: roots('a').execRoot }), {
    message: /a-x belongs to another/,
  });
  t.equal(readFileSync(roots('a').pidfile, 'utf8'), String(process.pid));
  t.equal(statSync(roots('a').dataRoot).mode & 0o777, 0o710);
  claim.release();
  t.notOk(existsSync(roots('a').pidfile));
  claimDataRoot(roots('a')).release();
});

test('a lock ends with the process that holds it, also by kill -9', async (t) => {
  const path = join(t.testdir(), 'lock');
  const module = fileURLToPath(new URL('../../native/file-lock.js', import.meta.url));
  const script = `const { tryLockFile } = await import(${JSON.stringify(module)});
    console.log(tryLockFile(${JSON.stringify(path)}) !== undefined); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  await new Promise((resolve) => child.stdout.once('data', resolve));
  t.equal(tryLockFile(path), undefined);
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
  const lock = tryLockFile(path);
  t.ok(lock);
  lock?.release();
});

test('the text log is one that dockerd’s readers know', async (t) => {
  t.equal(
    textLine('{"level":"info","time":"2026-01-01T00:00:00.000Z","msg":"a \\"b\\"","n":1}'),
    'level=info time=2026-01-01T00:00:00.000Z msg="a \\"b\\"" n=1\n',
  );
});

test('the daemon is one file, unless the compiler has been there since', async (t) => {
  const folder = dirname(program);
  const root = t.testdir({ 'package.json': '{"version":"0.0.0"}' });
  const daemon = join(root, 'dist', 'daemon');
  mkdirSync(daemon, { recursive: true });
  copyFileSync(program, join(daemon, 'tsdockerd.cjs'));
  writeFileSync(join(daemon, 'package.json'), '{"type":"module"}');
  const tell = (who: string) => `main = async () => (console.log('${who}'), 0);`;
  writeFileSync(join(daemon, 'program.js'), `export const ${tell('modules')}`);
  const run = () => spawnSync(
    process.execPath,
    [join(daemon, 'tsdockerd.cjs')],
    { encoding: 'utf8', timeout: 20_000, env: { ...process.env, TSDOCKERD_LEAN: '1' } },
  ).stdout;
  t.equal(run(), 'modules\n', 'there is none');
  const bundle = join(daemon, 'tsdockerd.bundle.cjs');
  writeFileSync(bundle, `exports.${tell('bundle')}`);
  t.equal(run(), 'bundle\n');
  const buildInfo = join(root, 'dist', '.tsbuildinfo');
  writeFileSync(buildInfo, '');
  utimesSync(bundle, 1, 1);
  t.equal(run(), 'modules\n');
  utimesSync(buildInfo, 0, 0);
  t.equal(run(), 'bundle\n');
  t.ok(existsSync(join(folder, 'tsdockerd.bundle.cjs')), 'the build makes it');
});
