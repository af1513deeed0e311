/**
 * What every storage driver promises of differences: what a container changed is a layer that makes
 * the same tree again, and a list in Docker's terms; the whole is an archive. Nothing is mounted
 * for any of it.
 */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Test, test } from 'tap';
import { unpackLayer } from '../../native/unpack/index.js';
import { insideRootfs } from '../support/rootfs.js';
import { bench, type Bench, id, options } from '../support/storage-bench.js';
import type { TarEntry } from '../support/tar.js';

const root = process.getuid?.() === 0;
const file = (name: string, content = name): TarEntry => ({ name, content });
const dir = (name: string): TarEntry => ({ name: `${name}/`, type: '5' });

/** Everything about every file: kind, mode, owner, size, time, links, device, attributes. */
const shape = String.raw`python3 -c '
import os, hashlib, stat
for top, dirs, files in os.walk(b"."):
    dirs.sort()
    for name in sorted(dirs + files):
        path = os.path.join(top, name)
        s = os.lstat(path)
        kind = stat.S_IFMT(s.st_mode)
        what = [path, oct(s.st_mode), s.st_uid, s.st_gid, s.st_rdev]
        if kind == stat.S_IFREG:
            sum = hashlib.sha256(open(path, "rb").read()).hexdigest()
            what += [s.st_size, int(s.st_mtime), s.st_nlink, sum]
            what += [(x, os.getxattr(path, x)) for x in sorted(os.listxattr(path))]
        if kind == stat.S_IFLNK: what += [os.readlink(path)]
        print(what)
'`;

const low: readonly TarEntry[] = [
  dir('keep'), file('keep/same'), dir('gone'), file('gone/x'), file('removed'),
  dir('again'), file('again/old'), dir('again/sub'), file('again/sub/old'),
  dir('deep'), dir('deep/er'), file('deep/er/still'), file('deep/er/changed'),
  file('kind'), dir('other'), file('other/x'), file('own'), { name: 'l', type: '2', link: 'own' },
];

/** A file that no archive holds. */
const socket = `python3 -c 'import socket; s = socket.socket(1); s.bind("so")'`;

/** Whole seconds of all folders below one, their raw names as text. */
function folderTimes(folder: string): string {
  const words = [folder, '-mindepth', '1', '-type', 'd', '-printf', '%P %T@\\n'];
  return execFileSync('find', words).toString('latin1').split('\n').sort().join('\n');
}

/** A row of the promise: what a container does. */
const scripts: Readonly<Record<string, string>> = {
  'files that are added, changed and removed':
    'echo new > new; mkdir d; echo x > d/x; echo y >> deep/er/changed; rm removed',
  'whiteouts of folders': 'rm -r gone deep',
  'a folder in place of a removed one': 'rm -r again; mkdir again; echo new > again/new',
  'another kind in the same place':
    'rm kind; mkdir kind; touch kind/x; rm -r other; echo f > other',
  'hard links': 'echo one > a; ln a b; mkdir h; ln a h/c',
  'links, devices and pipes': 'ln -s /nowhere n; mknod c c 1 3; mknod b b 7 200; mkfifo p; ' +
    'chown -h 3:4 n c; ln -sf kind l',
  'modes and owners': 'touch s g t; chown 70000:3000000 s; chmod 6755 s; chmod 2710 g; mkdir st; ' +
    'chmod 1777 st; chown 5:6 keep own',
  attributes: `setcap cap_net_raw+ep own; touch u; python3 -c '
import os; os.setxattr("u", "user.colour", bytes(range(256))); os.mkdir("ud")
os.setxattr("ud", "user.dir", b"1")'`,
  'holes and sizes': 'truncate -s 50M hole; printf x | dd of=hole bs=1 seek=30M conv=notrunc ' +
    'status=none; head -c 511 /dev/zero > z511; head -c 512 /dev/zero > z512; : > z0',
  times: 'touch -d @-5 before; touch -d @99999999999 after; touch -d @1234567890.9 between',
  'odd names': `python3 -c '
import os
odd = [b"new\\nline", b"\\xff\\xfe", "ü".encode(), b"-rf", b" ", b"\\\\", b"q\\"="]
for name in [*odd, b"a"*255, b"x"*100, b"y"*101]:
    open(name, "wb").write(name); os.mkdir(name[:250] + b".d"); os.symlink(name, name[:250] + b".l")
os.makedirs("/".join(["long" * 10] * 40)); open("/".join(["long" * 10] * 40) + "/f", "w")
os.link(b"y"*101, b"z"*101)'`,
  'a renamed folder': 'mv deep moved',
  'nothing at all': 'true',
  'a change that was taken back': 'echo x > new; rm new; mkdir n; rmdir n',
};

for (const name of ['overlay', 'vfs']) {
  const promise = (what: string, body: (t: Test, bench: Bench) => Promise<void>): void => {
    test(`${name}: ${what}`, { skip: root ? false : 'layers need root' }, async (t) => {
      await body(t, await bench(t, name));
    });
  };

  for (const [what, script] of Object.entries(scripts)) {
    promise(`a layer of changes makes the same tree: ${what}`, async (t, world) => {
      const keys = await world.layers(low);
      const container = id();
      await world.see(keys, script, container);
      const seen = await world.see(keys, shape, container);
      const diff = await diffOf(t, world, container, keys);
      t.equal(await world.see(await laid(world, diff, keys), shape), seen);
      t.equal((await diffOf(t, world, container, keys)).diffId, diff.diffId, 'and the same bytes');
    });
  }

  for (const [what, script] of Object.entries(scripts)) {
    promise(`changes that are taken lie as they would be unpacked: ${what}`, async (t, world) => {
      const { driver } = world;
      if (driver.take === undefined) return void t.pass('which has no way to take them');
      const keys = await world.layers(low);
      const container = id();
      await world.see(keys, script, container);
      await world.see(keys, socket, container);
      const diff = await diffOf(t, world, container, keys);
      const [key = ''] = (await laid(world, diff, keys)).slice(-1);
      const output = await open(join(world.storage, 'taken.tar'), 'w');
      const taken = await driver.take(container, keys, output.fd, { ours: [] });
      await output.close();
      t.equal(taken.written.diffId, diff.diffId);
      const stage = taken.stage(key);
      try {
        t.ok(await stage.isAsKept());
        const [kept = ''] = driver.layerFolders([key]);
        t.same(folderTimes(stage.path), folderTimes(kept));
      } finally {
        await stage.abort();
      }
    });
  }

  promise('a layer of changes is small and readable by others', async (t, world) => {
    const keys = await world.layers(low);
    const container = id();
    await world.see(keys, 'rm removed; rm -r again; mkdir again; echo x > again/x', container);
    const { path } = await diffOf(t, world, container, keys);
    const names = execFileSync('tar', ['tf', path], { encoding: 'utf8' }).split('\n').slice(0, -1);
    const opaque = ['again/', 'again/.wh..wh..opq', 'again/x', '.wh.removed'];
    const single = ['again/', 'again/.wh.old', 'again/.wh.sub', 'again/x', '.wh.removed'];
    t.strictSame(names.sort(), (name === 'overlay' ? opaque : single).sort());
  });

  promise('a folder where something came and went keeps that time', async (t, world) => {
    const keys = await world.layers(low);
    const container = id();
    await world.see(keys, 'touch keep/x; rm keep/x; touch -d @99 keep', container);
    const { path } = await diffOf(t, world, container, keys);
    const listed = execFileSync('tar', ['tvf', path, '--utc', '--full-time'], { encoding: 'utf8' });
    // vfs cannot tell it from the time of a folder that the engine touched.
    if (name === 'vfs') return void t.equal(listed, '');
    t.match(listed, /^d\S+ \S+ +0 1970-01-01 00:01:39 keep\/\n$/);
  });

  promise('a file that only looks like a whiteout is refused, not lost', async (t, world) => {
    const keys = await world.layers(low);
    for (const path of ['.wh.own', 'keep/.wh..wh..opq']) {
      const container = id();
      await world.see(keys, `echo x > ${path}; touch fine`, container);
      const message = `no layer can hold a name that begins with .wh.: "${path}"`;
      await t.rejects(diffOf(t, world, container, keys), { name: 'ArchiveError', message });
      const list = await world.driver.changes(container, keys, { ours: [] });
      t.ok(list.some((change) => change.path === `/${path}`), 'and listed');
    }
  });

  promise('changes are listed as Docker lists them', async (t, world) => {
    const keys = await world.layers(low);
    const container = id();
    await world.see(
      keys,
      `echo x > new; mkdir d; touch d/x; echo y >> deep/er/changed; rm removed; rm -r gone;
      rm -r again; mkdir again; touch again/new; chown 1 own; chmod 700 keep; rm kind; mkdir kind`,
      container,
    );
    const list = await world.driver.changes(container, keys, { ours: [] });
    const letters = { modified: 'C', added: 'A', deleted: 'D' };
    t.strictSame(list.map(({ kind, path }) => `${letters[kind]} ${path}`).sort(), [
      'A /again/new', 'A /d', 'A /d/x', 'A /new',
      'C /again', 'C /deep', 'C /deep/er', 'C /deep/er/changed', 'C /keep', 'C /kind', 'C /own',
      'D /again/old', 'D /again/sub', 'D /gone', 'D /removed',
    ]);
    t.strictSame(await world.driver.changes(await made(world, keys), keys, { ours: [] }), []);
  });

  promise('what the engine makes everywhere is no change', async (t, world) => {
    const keys = await world.layers([file('x')]);
    const container = id();
    const ours = ['.own', 'mnt', 'mnt/pts', 'run', 'run/hosts', 'run/hostname'];
    await world.see(keys, 'touch .own; mkdir -p mnt/pts run; touch run/hosts', container);
    const { driver } = world;
    t.strictSame(await driver.changes(container, keys, { ours }), []);
    t.equal((await diffOf(t, world, container, keys, ours)).entries, 0);
    await world.see(keys, 'echo mine > run/hostname; touch mnt/mine', container);
    t.strictSame((await driver.changes(container, keys, { ours })).map(({ path }) => path), [
      '/mnt', '/mnt/mine', '/run', '/run/hostname',
    ]);
  });

  promise('a change with the same size and time is in the layer', async (t, world) => {
    if (name === 'vfs') return void t.pass('which cannot know: it compares size and time');
    const keys = await world.layers(low);
    const container = id();
    await world.see(keys, 'cp -p own /tmp/$$; printf OWN > own; touch -r /tmp/$$ own', container);
    const lay = await laid(world, await diffOf(t, world, container, keys), keys);
    t.equal(await world.see(lay, 'cat own'), 'OWN');
  });

  promise('a new name for an old file', async (t, world) => {
    const keys = await world.layers(low);
    const container = id();
    await world.see(keys, 'ln own own2', container);
    const lay = await laid(world, await diffOf(t, world, container, keys), keys);
    // Without whiteouts the old name is as it was, and so only the new one is in the layer.
    const links = name === 'overlay' ? '2' : '1';
    t.equal(await world.see(lay, 'cat own2; stat -c %h own'), `own${links}`);
  });

  promise('the whole root is an archive', async (t, world) => {
    const high: readonly TarEntry[] = [dir('again'), file('again/.wh..wh..opq'), file('again/up')];
    const keys = await world.layers(low, high, [file('.wh.removed')]);
    const container = id();
    await world.see(keys, 'rm -r gone; echo x > new; ln new linked; touch -d @-5 old', container);
    const seen = await world.see(keys, shape, container);
    const path = join(world.storage, 'root.tar');
    await pipeline(await world.driver.export(container, keys), createWriteStream(path));
    const copy = await made(world, []);
    const unpack = `tar --xattrs --xattrs-include='*' --numeric-owner -xpf ${path}`;
    await world.see([], unpack, copy);
    t.equal(await world.see([], shape, copy), seen);
  });

  promise('an archive whose reader goes ends its process', async (t, world) => {
    const container = await made(world, await world.layers(low));
    const recipe = await world.driver.mount(container, [], options);
    await insideRootfs(recipe, 'truncate -s 10G huge');
    const stream = await world.driver.export(container, []);
    for await (const chunk of stream) {
      t.ok((chunk as Buffer).length > 0);
      break;
    }
    t.ok(stream.destroyed);
    const cut = new AbortController();
    const other = await world.driver.export(container, [], cut.signal);
    other.once('data', () => cut.abort(new Error('enough')));
    await t.rejects(pipeline(other, createWriteStream('/dev/null')), /enough/);
  });

  promise('sizes beyond 8 GB and sums are exact', async (t, world) => {
    const container = await made(world, []);
    await world.see([], 'truncate -s 9G huge; printf end >> huge', container);
    const stream = await world.driver.export(container, []);
    let header = Buffer.alloc(0);
    for await (const chunk of stream) {
      header = Buffer.concat([header, chunk as Buffer]);
      if (header.length > 4096) break;
    }
    t.match(header.toString('latin1'), /size=9663676419\n/);
  });

  promise('a folder without layers has its changes too', async (t, world) => {
    const container = await made(world, []);
    await world.see([], 'mkdir d; echo x > d/x', container);
    const lay = await laid(world, await diffOf(t, world, container, []), []);
    t.equal(await world.see(lay, 'cat d/x'), 'x');
  });
}

async function made({ driver }: Bench, keys: readonly string[]): Promise<string> {
  const container = id();
  await driver.createContainer(container, keys);
  return container;
}

interface Written {
  readonly path: string;
  readonly diffId: string;
  readonly entries: number;
}

async function diffOf(
  t: Test,
  { driver, storage }: Bench,
  container: string,
  ...[keys, ours = []]: readonly [readonly string[], (readonly string[])?]
): Promise<Written> {
  const path = join(storage, randomBytes(4).toString('hex'));
  const output = await open(path, 'w');
  try {
    const written = await driver.diff(container, keys, output.fd, { ours });
    const bytes = readFileSync(path);
    t.equal(written.diffId, `sha256:${createHash('sha256').update(bytes).digest('hex')}`);
    t.equal(written.tarBytes, bytes.length);
    return { path, ...written };
  } finally {
    await output.close();
  }
}

/** The layer on top of those that it came from. */
async function laid(
  { driver }: Bench,
  { path, diffId }: Written,
  keys: readonly string[],
): Promise<readonly string[]> {
  const chain = createHash('sha256').update([...keys, diffId].join(' ')).digest('hex');
  const key = driver.layerIdentity === 'diffID' ? diffId : `sha256:${chain}`;
  const stage = await driver.stageLayer({ key, parents: [...keys] });
  const source = createReadStream(path);
  const unpacked = await unpackLayer({ source, target: stage.path, whiteouts: stage.whiteouts });
  if (unpacked.diffId !== diffId) throw new Error(`${unpacked.diffId} instead of ${diffId}`);
  if (unpacked.impliedDirectories.length > 0) throw new Error('a folder without its entry');
  await stage.commit();
  return [...keys, key];
}
