/** `tsdockerd fsck` on the data root of a daemon that was stopped. */
import { execFile } from 'node:child_process';
import { chmodSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { buildImage, digest } from '../support/image-builder.js';
import { startLyingRegistry } from '../support/lying-registry.js';
import { tarOf } from '../support/tar.js';

const image = buildImage([
  tarOf([
    { name: 'etc/', type: '5' },
    { name: 'etc/one', content: 'one' },
    { name: 'etc/two', content: 'two', mode: 0o4755 },
  ]),
  tarOf([{ name: 'etc/.wh.one' }, { name: 'three', content: 'three' }]),
]);

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function fsck({ command, dataRoot }: TestDaemon, ...flags: string[]): Promise<Outcome> {
  const [program = '', daemon = '', ...given] = command;
  const flag = (name: string): string[] => {
    const at = given.indexOf(name);
    if (at < 0) throw new Error(`no ${name} in ${given.join(' ')}`);
    return [name, given[at + 1] ?? ''];
  };
  // Of its own all of them: another daemon of this machine may have the usual ones.
  const roots = ['--data-root', dataRoot, ...flag('--exec-root'), ...flag('--pidfile')];
  return new Promise((resolve) => {
    const words = [daemon, 'fsck', ...flags, ...roots];
    execFile(program, words, { timeout: 60_000 }, (problem, stdout, stderr) => {
      resolve({ status: problem === null ? 0 : Number(problem.code), stdout, stderr });
    });
  });
}

async function scene(t: Test) {
  const registry = await startLyingRegistry();
  t.teardown(() => registry.stop());
  registry.serve('r', '1', image);
  const daemon = await startDaemon(t);
  const pull = () => daemon.api.post(`/images/create?fromImage=${registry.host}/r&tag=1`);
  t.match((await pull()).text, /Downloaded newer image/);
  const layers = join(daemon.dataRoot, 'storage', 'overlay', 'layers');
  const inLayer = (height: number, path: string): string =>
    join(layers, digest(image.tars[height] ?? '').slice(7), 'diff', path);
  const blob = (bytes: Buffer): string =>
    join(daemon.dataRoot, 'image', 'blobs', 'sha256', digest(bytes).slice(7));
  return { registry, daemon, pull, inLayer, blob, name: `${registry.host}/r:1` };
}

test('a whole data root is found whole; a running daemon is left alone', async (t) => {
  const { daemon } = await scene(t);
  const refused = await fsck(daemon);
  t.equal(refused.status, 1);
  t.match(refused.stderr, /belongs to another tsdockerd that is running/);
  await daemon.stop();
  t.same(await fsck(daemon), { status: 0, stdout: '', stderr: '' });
  await daemon.start();
});

test('files of layers that changed, lost bytes or vanished are found, and made anew', async (t) => {
  const { daemon, inLayer, name } = await scene(t);
  const harms: readonly (readonly [string, () => void])[] = [
    ['a file is empty', () => truncateSync(inLayer(0, 'etc/two'))],
    ['a file says something else', () => writeFileSync(inLayer(1, 'three'), 'THREE')],
    ['a mode changed', () => chmodSync(inLayer(0, 'etc/two'), 0o755)],
    ['a file is gone', () => rmSync(inLayer(1, 'three'))],
    ['a whiteout is gone', () => rmSync(inLayer(1, 'etc/one'))],
    ['a file is too much', () => writeFileSync(inLayer(0, 'extra'), '')],
  ];
  for (const [what, harm] of harms) {
    await daemon.stop();
    harm();
    const found = await fsck(daemon);
    t.equal(found.status, 4, what);
    t.match(found.stdout, /^layer sha256:[\da-f]{64} of .*: wrong content\n$/);
    const mended = await fsck(daemon, '--repair');
    t.equal(mended.status, 1);
    t.match(mended.stdout, /: wrong content; made anew\n$/);
    t.same((await fsck(daemon)).status, 0);
    await daemon.start();
    t.equal((await daemon.api.get(`/images/${name}/json`)).status, 200);
  }
});

test('what cannot be made anew comes back with a pull', async (t) => {
  const { daemon, blob, inLayer, name, pull } = await scene(t);
  const [first = Buffer.alloc(0)] = image.layers;
  await daemon.stop();
  truncateSync(blob(first), first.length - 1);
  truncateSync(inLayer(0, 'etc/two'));
  const found = await fsck(daemon, '--repair');
  t.equal(found.status, 4);
  t.match(found.stdout, new RegExp(`^blob ${digest(first)} of .*: wrong content; taken away`));
  t.match(found.stdout, /\nlayer .*: cannot be compared: its blob is damaged; taken away/);
  await daemon.start();
  const create = () => daemon.api.post('/containers/create', { Image: name, Cmd: ['x'] });
  t.not((await create()).status, 201);
  t.match((await pull()).text, /Pull complete/);
  t.equal((await create()).status, 201);
  await daemon.stop();
  t.equal((await fsck(daemon)).status, 0);
  await daemon.start();
});

test('what cannot be made anew comes back with a load', async (t) => {
  const { daemon, blob, inLayer, name } = await scene(t);
  const archive = (await daemon.api.get(`/images/${name}/get`)).bytes;
  const [first = Buffer.alloc(0)] = image.layers;
  await daemon.stop();
  truncateSync(blob(first), first.length - 1);
  truncateSync(inLayer(0, 'etc/two'));
  t.match((await fsck(daemon, '--repair')).stdout, /taken away/);
  await daemon.start();
  t.match((await daemon.api.post('/images/load', archive)).text, /Loaded image: /);
  const made = await daemon.api.post('/containers/create', { Image: name, Cmd: ['x'] });
  t.equal(made.status, 201);
  await daemon.stop();
  t.equal((await fsck(daemon)).status, 0);
  await daemon.start();
});

test('a config that is gone is written again out of the database', async (t) => {
  const { daemon, blob } = await scene(t);
  await daemon.stop();
  rmSync(blob(image.config));
  t.match((await fsck(daemon, '--repair')).stdout, /^blob .*: missing; made anew\n$/);
  t.equal((await fsck(daemon)).status, 0);
  t.same(readdirSync(join(daemon.dataRoot, 'storage', 'overlay', 'stage')), []);
  await daemon.start();
});
