/**
 * What every storage driver promises, run on each of them: layers are whole or absent, a container
 * sees what the layers say, and nothing but what was committed is left after a crash.
 */
import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { createStorageDriver } from '../../storage-drivers/index.js';
import { until } from '../support/containers.js';
import { insideRootfs } from '../support/rootfs.js';
import { bench, type Bench, id, options } from '../support/storage-bench.js';
import type { TarEntry } from '../support/tar.js';

const root = process.getuid?.() === 0;

const file = (name: string, content = name): TarEntry => ({ name, content });
const dir = (name: string): TarEntry => ({ name: `${name}/`, type: '5' });
const gone = (name: string): TarEntry => ({ name });
const absent = 'No such file or directory';
/** Mode, owner, size, name and target of what every container has of its own. */
const ownFiles =
  "find .dockerenv dev etc proc sys -printf '%M %U:%G %s %p %l\\n' | sed 's/ $//' | sort -k4";

for (const name of ['overlay', 'vfs']) {
  const promise = (what: string, body: (t: Test, bench: Bench) => Promise<void>): void => {
    test(`${name}: ${what}`, { skip: root ? false : 'layers need root' }, async (t) => {
      await body(t, await bench(t, name));
    });
  };

  promise('a container sees the layers, upper ones first', async (t, { layers, see }) => {
    const low = [dir('a'), file('a/x', 'low'), file('a/y', 'low')];
    const keys = await layers(low, [file('a/x', 'high')]);
    t.equal(await see(keys, 'cat a/x a/y'), 'highlow');
  });

  promise('whiteouts hide files and folders', async (t, { layers, see }) => {
    const low = [dir('d'), file('d/x'), file('d/y'), dir('e'), file('e/z'), file('f')];
    const keys = await layers(low, [gone('d/.wh.x'), gone('.wh.e'), gone('.wh.f')]);
    t.equal(await see(keys, 'ls -d d/* ?'), 'd\nd/y');
  });

  promise('an opaque marker hides what lies beneath', async (t, { layers, see }) => {
    const low = [dir('d'), file('d/old'), dir('d/sub'), file('d/sub/old')];
    const first = [dir('d'), gone('d/.wh..wh..opq'), file('d/new')];
    const last = [dir('d'), file('d/new'), dir('d/sub'), file('d/sub/new'), gone('d/.wh..wh..opq')];
    t.equal(await see(await layers(low, first), 'find d | sort | tr "\\n" " "'), 'd d/new');
    t.equal(
      await see(await layers(low, last), 'find d | sort | tr "\\n" " "'),
      'd d/new d/sub d/sub/new',
    );
  });

  promise('an opaque root hides everything beneath', async (t, { layers, see }) => {
    const keys = await layers([file('old')], [gone('.wh..wh..opq'), file('new')]);
    t.equal(await see(keys, 'ls old new 2>&1 || true'), `ls: cannot access 'old': ${absent}\nnew`);
  });

  promise('a folder in place of a removed one is empty at first', async (t, { layers, see }) => {
    const low = [dir('d'), file('d/old')];
    for (const high of [
      [gone('.wh.d'), dir('d'), file('d/new')],
      [dir('d'), file('d/new'), gone('.wh.d')],
      [gone('.wh.d'), file('d/new')],
    ]) {
      t.equal(await see(await layers(low, high), 'ls d'), 'new');
    }
  });

  promise('owners, modes, times and attributes are as in the tar', async (t, { layers, see }) => {
    const keys = await layers([
      { name: 'setuid', content: 'x', mode: 0o4755, uid: 1234, gid: 4321, mtime: 1_000_000_000 },
      { name: 'sticky/', type: '5', mode: 0o1777, mtime: 1_100_000_000 },
      file('sticky/later'),
      { name: 'attr', content: 'x', pax: { 'SCHILY.xattr.user.color': 'blue' } },
      { name: 'link', type: '2', link: 'setuid', uid: 7, gid: 8 },
      { name: 'null', type: '3', device: [1, 3], mode: 0o666 },
      { name: 'fifo', type: '6', mode: 0o600 },
    ]);
    const script = `stat -c '%n %a %u:%g %Y' setuid sticky; stat -c '%n %u:%g %F' link fifo;
      stat -c '%n %t,%T' null;
      python3 -c 'import os; print(os.getxattr("attr", "user.color").decode())'`;
    t.strictSame((await see(keys, script)).split('\n'), [
      'setuid 4755 1234:4321 1000000000',
      'sticky 1777 0:0 1100000000',
      'link 7:8 symbolic link',
      'fifo 0:0 fifo',
      'null 1,3',
      'blue',
    ]);
  });

  promise('hard links are one file', async (t, { layers, see }) => {
    const keys = await layers([file('a', 'one'), { name: 'b', type: '1', link: 'a' }]);
    t.equal(await see(keys, 'stat -c %h a; cat b; [ a -ef b ] && echo same'), '2\nonesame');
  });

  promise('what a container writes is its own and stays', async (t, { driver, layers, see }) => {
    const keys = await layers([file('x', 'image')]);
    const [one, two] = [id(), id()];
    await see(keys, 'echo mine > x; echo new > y', one);
    t.equal(await see(keys, 'cat x', two), 'image');
    const again = await driver.mount(one, keys, options);
    t.equal(await insideRootfs(again, 'cat x y'), 'mine\nnew\n');
  });

  promise('a container without layers is empty and can be written', async (t, { see }) => {
    t.equal(await see([], 'ls; echo x > y; cat y'), 'dev\netc\nproc\nsys\nx');
  });

  promise('layers alone hold nothing of the engine\'s', async (t, { driver, layers }) => {
    const look = async (keys: readonly string[]): Promise<string> =>
      insideRootfs(driver.mountLayers(keys), 'find . -mindepth 1 | sort | tr "\\n" " "');
    const low = await layers([file('x'), dir('d'), file('d/old')]);
    t.equal(await look(low), './d ./d/old ./x ');
    const all = await layers([file('x'), dir('d'), file('d/old')], [gone('.wh.x'), file('d/new')]);
    t.equal(await look(all), './d ./d/new ./d/old ');
    t.equal(await look([]), '');
    t.throws(() => driver.mountLayers([`sha256:${id()}`]), { code: 'ENOENT' });
  });

  promise('names that the engine mounts over are there before any mount', async (t, bench) => {
    const image = [
      { name: 'etc/', type: '5', mode: 0o750, uid: 3, gid: 4 }, file('etc/hosts', 'of the image'),
      file('etc/passwd', 'kept'), { name: 'proc', type: '2', link: '/etc' },
      file('sys', 'no folder'), dir('etc/hostname'), file('etc/hostname/kept'),
    ];
    const [plain, odd] = [await bench.layers([file('x')]), await bench.layers([file('x')], image)];
    const common = (etc: string): string[] => [
      '-rwxr-xr-x 0:0 0 .dockerenv', 'drwxr-xr-x 0:0 dev', '-rwxr-xr-x 0:0 0 dev/console',
      'drwxr-xr-x 0:0 dev/pts', 'drwxr-xr-x 0:0 dev/shm', etc,
    ];
    const rest = [
      '-rwxr-xr-x 0:0 0 etc/hosts', 'lrwxrwxrwx 0:0 12 etc/mtab /proc/mounts',
      '-rwxr-xr-x 0:0 0 etc/resolv.conf', 'drwxr-xr-x 0:0 proc', 'drwxr-xr-x 0:0 sys',
    ];
    const lines = async (keys: readonly string[], container: string): Promise<string[]> =>
      (await bench.see(keys, ownFiles, container)).split('\n')
        .map((line) => line.replace(/^(d\S+ \S+) \d+/, '$1'));
    const [one, two] = [id(), id()];
    t.strictSame(await lines(plain, one), [
      ...common('drwxr-xr-x 0:0 etc'), '-rwxr-xr-x 0:0 0 etc/hostname', ...rest,
    ]);
    t.strictSame(await lines(odd, two), [
      ...common('drwxr-x--- 3:4 etc'), 'drwxr-xr-x 0:0 etc/hostname',
      '-rw-r--r-- 0:0 17 etc/hostname/kept', rest[0] ?? '', rest[1] ?? '',
      '-rw-r--r-- 0:0 4 etc/passwd', ...rest.slice(2),
    ]);
    for (const [container, keys] of [[one, plain], [two, odd]] as const) {
      t.strictSame(await bench.driver.changes(container, keys, { ours: [] }), []);
    }
    await bench.see(odd, 'echo y > etc/hosts; rm .dockerenv', two);
    const changes = await bench.driver.changes(two, odd, { ours: [] });
    t.strictSame(changes.map(({ kind, path }) => `${kind} ${path}`).sort(), [
      'deleted /.dockerenv', 'modified /etc', 'modified /etc/hosts',
    ]);
    const again = await createStorageDriver(name, bench.storage);
    t.teardown(() => again.close());
    await again.reconcile({ layers: new Set([...plain, ...odd]), containers: new Set([one, two]) });
    t.strictSame(await again.changes(one, plain, { ours: [] }), [], 'after a start of the daemon');
    t.match(await insideRootfs(await again.mount(one, plain, options), 'ls -A'), '.dockerenv');
  });

  promise('127 layers', async (t, { layers, see }) => {
    const layer = (at: number) => [file(`f${at}`), file('last', String(at))];
    const keys = await layers(...Array.from({ length: 127 }, (_, at) => layer(at)));
    t.equal(await see(keys, 'ls -d f* last | wc -l; cat last'), '128\n126');
  });

  promise('a stage that is not committed never was', async (t, { driver, storage }) => {
    const key = `sha256:${id()}`;
    const stage = await driver.stageLayer({ key, parents: [] });
    await writeFile(join(stage.path, 'x'), 'x');
    t.equal(await driver.hasLayer(key), false);
    await stage.abort();
    await stage.abort();
    t.equal(await driver.hasLayer(key), false);
    await driver.close();
    t.strictSame(await leftovers(storage), []);
  });

  promise('a layer that is there wins over a second stage', async (t, { driver, see }) => {
    const key = `sha256:${id()}`;
    const stages = await Promise.all([1, 2].map(() => driver.stageLayer({ key, parents: [] })));
    for (const [at, stage] of stages.entries()) await writeFile(join(stage.path, 'x'), String(at));
    for (const stage of stages) await stage.commit();
    t.equal(await see([key], 'cat x'), '0');
  });

  promise('a crash leaves only what was committed', async (t, { driver, storage, layers }) => {
    const [kept] = await layers([file('kept')]);
    const [orphan] = await layers([file('orphan')]);
    const [live, dead] = [id(), id()];
    for (const container of [live, dead]) await driver.createContainer(container, [kept ?? '']);
    await driver.stageLayer({ key: `sha256:${id()}`, parents: [] });
    const next = await createStorageDriver(name, storage);
    t.teardown(() => next.close());
    const told = await next.reconcile({
      layers: new Set([kept ?? '']),
      containers: new Set([live]),
    });
    t.equal(told.length, 3, 'the stage, the container and the layer are told');
    t.equal(await next.hasLayer(kept ?? ''), true);
    t.equal(await next.hasLayer(orphan ?? ''), false);
    t.match(await insideRootfs(await next.mount(live, [kept ?? ''], options), 'cat kept'), 'kept');
    await next.close();
    t.strictSame(await leftovers(storage), []);
    const known = { layers: new Set([kept ?? '']), containers: new Set([live]) };
    const quiet = await next.reconcile(known);
    t.strictSame(quiet, []);
  });

  promise('removal is idempotent and frees the bytes', async (t, { driver, storage, layers }) => {
    const [key = ''] = await layers([dir('d'), file('d/x')]);
    const container = id();
    await driver.createContainer(container, [key]);
    for (let times = 0; times < 2; times++) {
      await driver.removeContainer(container);
      await driver.removeLayer(key);
    }
    await driver.removeContainer(id());
    t.equal(await driver.hasLayer(key), false);
    await driver.close();
    t.strictSame(await leftovers(storage), []);
  });

  promise('a tree of any depth is removed', async (t, { driver, storage, see }) => {
    const container = id();
    const dig = `python3 -c '
import os
for i in range(3000):
    os.mkdir("d"); os.chdir("d")
open("end","w")'`;
    await see([], dig, container);
    await driver.removeContainer(container);
    // A close waits only for so long: the rest would be the next start's.
    const isGone = async (): Promise<boolean> => (await leftovers(storage)).length === 0;
    await until('nothing is left of it', isGone, 60_000);
    await driver.close();
    t.strictSame(await leftovers(storage), []);
  });

  promise('usage counts bytes and inodes', async (t, { driver, layers, see }) => {
    const linked = { name: 'b', type: '1', link: 'a' };
    const [key = ''] = await layers([file('a', 'x'.repeat(1000)), linked, dir('d')]);
    t.strictSame(await driver.layerUsage(key), { sizeBytes: 1000, inodes: 3 });
    const container = id();
    await see([key], 'head -c 500 /dev/zero > new', container);
    // Of vfs what lies beneath too, a link of 12 bytes among it.
    const shared = driver.layerIdentity === 'chainID' ? 1012 : 0;
    t.equal((await driver.containerUsage(container)).sizeBytes, 500 + shared);
  });

  promise('things are made and removed side by side', async (t, bench) => {
    const { driver, storage, layers } = bench;
    const keys = await layers([file('x')]);
    const work = Array.from({ length: 12 }, async (_, at) => {
      const container = id();
      await driver.createContainer(container, keys);
      const recipe = await driver.mount(container, keys, options);
      const text = await insideRootfs(recipe, `echo ${at} > y; cat x y`);
      await driver.removeContainer(container);
      return text;
    });
    const stages = Array.from({ length: 8 }, (_, at) => layers([file(`layer ${at}`)]));
    t.strictSame(await Promise.all(work), work.map((_, at) => `x${at}\n`));
    await Promise.all(stages);
    await driver.close();
    t.strictSame(await leftovers(storage, ['containers']), []);
  });

  promise('a missing layer is an error before anything is made', async (t, bench) => {
    const { driver, storage } = bench;
    const missing = `sha256:${id()}`;
    await t.rejects(driver.createContainer(id(), [missing]), { code: 'ENOENT' });
    await t.rejects(driver.hasLayer('../../etc'), /not a layer key/);
    await t.rejects(async () => driver.createContainer('../../etc', []), /not a container id/);
    await driver.close();
    t.strictSame(await leftovers(storage, ['containers']), []);
  });
}

/** What lies in the folders that ought to be empty. */
async function leftovers(storage: string, more: readonly string[] = []): Promise<string[]> {
  const found: string[] = [];
  for (const driver of await readdir(storage)) {
    for (const shelf of ['stage', 'trash', ...more]) {
      const path = join(storage, driver, shelf);
      if (!existsSync(path)) continue;
      found.push(...(await readdir(path)).map((name) => `${shelf}/${name}`));
    }
  }
  return found;
}
