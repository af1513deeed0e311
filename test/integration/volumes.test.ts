/** Volumes on a real disk and database; containers are records, their roots plain folders. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import type { ContainerConfig, HostConfig, MountPoint } from '../../api-spec/index.js';
import type { ResolvedMount } from '../../daemon/containers/needs.js';
import type { ContainerRecord } from '../../daemon/containers/record.js';
import { openStore } from '../../daemon/store/index.js';
import { createVolumes, volumeTables, type VolumesService } from '../../daemon/volumes/index.js';
import type { MountRecipe } from '../../storage-drivers/driver.js';

const root = process.getuid?.() === 0;
const needsRoot = { skip: root ? false : 'owners and mounts need root' };
const missing = (name = '') => ({
  kind: 'NotFound',
  message: new RegExp(`^get .*${name}: no such volume$`),
});
const newId = (): string => randomBytes(32).toString('hex');

interface Bench {
  readonly dir: string;
  readonly volumes: VolumesService;
  readonly told: readonly string[];
  readonly recipe: MountRecipe;
  readonly open: () => Promise<VolumesService>;
}

async function bench(t: Test): Promise<Bench> {
  const dir = t.testdir({
    upper: {}, work: {}, low: { data: { x: 'image', sub: { y: 'image' } }, file: 'x' },
    host: { here: 'host' },
  });
  await chown(join(dir, 'low/data'), 123, 456);
  await chmod(join(dir, 'low/data'), 0o2750);
  const told: string[] = [];
  const events = {
    stamp: (event: { action: string; id: string }) => ({
      statements: [],
      announce: () => void told.push(`${event.action} ${event.id}`),
    }),
  };
  const open = async (): Promise<VolumesService> => {
    const store = openStore(join(dir, 'db'), [volumeTables]);
    const layers = { mount: () => { throw new Error('no image is mounted'); }, has: () => false };
    const volumes = await createVolumes({ root: join(dir, 'volumes'), store, events, layers });
    t.teardown(async () => {
      await volumes.close();
      await store.close();
    });
    return volumes;
  };
  const recipe: MountRecipe = {
    kind: 'overlay', lowerdirs: [join(dir, 'low')], upperdir: join(dir, 'upper'),
    workdir: join(dir, 'work'), volatile: false, options: [], shortNames: { dir, lowerdir: 'low' },
  };
  return { dir, volumes: await open(), told, recipe, open };
}

interface Asked {
  readonly hostConfig?: HostConfig;
  readonly config?: ContainerConfig;
  readonly from?: readonly { readonly mounts: readonly MountPoint[]; readonly mode: string }[];
}

/** As the containers service does it: prepare, then keep what it said. */
async function prepare(volumes: VolumesService, asked: Asked): Promise<ContainerRecord> {
  const { hostConfig = {}, config = {}, from = [] } = asked;
  const id = newId();
  const mounts = await volumes.prepare(id, {
    hostConfig, config, mounts: hostConfig.Mounts ?? [], from,
  });
  return {
    id, name: id.slice(0, 12), createdAtMs: 0, imageId: '', imageName: '', layers: [], config,
    hostConfig, path: '', args: [], storageDriver: 'overlay', mounts, endpoints: {},
    restartCount: 0, stoppedByUser: false, state: { status: 'created' },
  };
}

const sourceAt = (mounts: readonly ResolvedMount[], destination: string): string => {
  const mount = mounts.find((one) => one.destination === destination);
  return mount?.type === 'bind' ? mount.source : '';
};

test('a volume is made once and answers for its name', needsRoot, async (t) => {
  const { volumes, dir, told } = await bench(t);
  const made = await volumes.create({ Name: 'data', Labels: { a: 'b' } });
  t.match(made, { Name: 'data', Driver: 'local', Labels: { a: 'b' }, Scope: 'local' });
  t.equal(made.Options, null);
  t.equal(made.Mountpoint, join(dir, 'volumes/data/_data'));
  t.match(made.CreatedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  t.strictSame(await volumes.create({ Name: 'data', Labels: { c: 'd' } }), made);
  t.strictSame(await volumes.inspect('data'), made);
  t.strictSame((await volumes.list({})).Volumes, [made]);
  t.strictSame(told, ['create data']);
  await t.rejects(volumes.inspect('nosuch'), missing('nosuch'));
  const anonymous = await volumes.create({});
  t.match(anonymous.Name, /^[0-9a-f]{64}$/);
  t.strictSame(anonymous.Labels, { 'com.docker.volume.anonymous': '' });
});

test('a volume in use cannot be removed; afterwards it can', needsRoot, async (t) => {
  const { volumes, dir } = await bench(t);
  const { id } = await prepare(volumes, { hostConfig: { Binds: ['data:/y'] } });
  const message = `remove data: volume is in use - [${id}]`;
  await t.rejects(volumes.remove('data', { force: false }), { kind: 'Conflict', message });
  await t.rejects(volumes.remove('data', { force: true }), { kind: 'Conflict', message });
  await volumes.release(id, { removeAnonymous: true });
  t.ok(existsSync(join(dir, 'volumes/data/_data')), 'a named one outlives its container');
  await volumes.remove('data', { force: false });
  t.notOk(existsSync(join(dir, 'volumes/data')));
  await t.rejects(volumes.remove('data', { force: false }), missing());
  await volumes.remove('data', { force: true });
});

test('an empty volume takes what the image has, owner and mode too', needsRoot, async (t) => {
  const { volumes, recipe } = await bench(t);
  const Binds = ['full:/data', 'none:/nothing', 'file:/file'];
  const record = await prepare(volumes, { hostConfig: { Binds } });
  const mounts = await volumes.resolve(record, recipe);
  const full = sourceAt(mounts, '/data');
  t.equal(await readFile(join(full, 'sub/y'), 'utf8'), 'image');
  const { uid, gid, mode } = await stat(full);
  t.strictSame([uid, gid, mode & 0o7777], [123, 456, 0o2750]);
  t.strictSame(await readdir(sourceAt(mounts, '/nothing')), []);
  t.strictSame(await readdir(sourceAt(mounts, '/file')), []);
});

test('what a volume holds stays, and it is filled only once', needsRoot, async (t) => {
  const { volumes, recipe } = await bench(t);
  await volumes.create({ Name: 'mine' });
  const first = await prepare(volumes, { hostConfig: { Binds: ['mine:/data'] } });
  const { Mountpoint: path } = await volumes.inspect('mine');
  await writeFile(join(path, 'own'), 'mine');
  await volumes.resolve(first, recipe);
  t.strictSame(await readdir(path), ['own']);
  const second = await prepare(volumes, { hostConfig: { Binds: ['once:/data'] } });
  const once = sourceAt(await volumes.resolve(second, recipe), '/data');
  for (const name of await readdir(once)) execFileSync('rm', ['-r', join(once, name)]);
  await volumes.resolve(second, recipe);
  t.strictSame(await readdir(once), [], 'the user emptied it');
});

test('nocopy leaves a volume empty', needsRoot, async (t) => {
  const { volumes, recipe } = await bench(t);
  const record = await prepare(volumes, { hostConfig: { Binds: ['bare:/data:nocopy'] } });
  t.strictSame(await readdir(sourceAt(await volumes.resolve(record, recipe), '/data')), []);
});

test('a volume that two containers hold is filled in place', needsRoot, async (t) => {
  const { volumes, recipe } = await bench(t);
  const one = await prepare(volumes, { hostConfig: { Binds: ['both:/data'] } });
  const two = await prepare(volumes, { hostConfig: { Binds: ['both:/data'] } });
  const { Mountpoint: path } = await volumes.inspect('both');
  const { ino } = await stat(path);
  await Promise.all([volumes.resolve(one, recipe), volumes.resolve(two, recipe)]);
  t.equal((await stat(path)).ino, ino);
  t.strictSame(await readdir(path), ['sub', 'x']);
});

test('a link in the image leads no copy out of it', needsRoot, async (t) => {
  const { volumes, recipe, dir } = await bench(t);
  execFileSync('ln', ['-s', join(dir, 'host'), join(dir, 'low/absolute')]);
  execFileSync('ln', ['-s', '../../../../../data', join(dir, 'low/climbing')]);
  const Binds = ['aa:/absolute', 'bb:/climbing'];
  const record = await prepare(volumes, { hostConfig: { Binds } });
  const mounts = await volumes.resolve(record, recipe);
  t.strictSame(await readdir(sourceAt(mounts, '/absolute')), []);
  t.strictSame(await readdir(sourceAt(mounts, '/climbing')), ['sub', 'x']);
});

test('volumes of the image are anonymous and go with the container', needsRoot, async (t) => {
  const { volumes } = await bench(t);
  const record = await prepare(volumes, { config: { Volumes: { '/data': {} } } });
  const [mount] = record.mounts;
  t.match(mount, { Type: 'volume', Driver: 'local', Destination: '/data', Mode: '', RW: true });
  const name = mount?.Name ?? '';
  t.match(name, /^[0-9a-f]{64}$/);
  const other = await prepare(volumes, { from: [{ mounts: record.mounts, mode: 'ro' }] });
  t.match(other.mounts, [{ Name: name, RW: false }]);
  await volumes.release(record.id, { removeAnonymous: true });
  await volumes.inspect(name);
  await volumes.release(other.id, { removeAnonymous: true });
  await t.rejects(volumes.inspect(name), missing());
});

test('without being asked, an anonymous volume stays until prune', needsRoot, async (t) => {
  const { volumes } = await bench(t);
  const { id, mounts } = await prepare(volumes, { hostConfig: { Binds: ['/data', 'named:/y'] } });
  t.strictSame(await volumes.prune({ all: ['true'] }), { VolumesDeleted: [], SpaceReclaimed: 0 });
  await volumes.release(id, { removeAnonymous: false });
  const anonymous = mounts.find(({ Destination }) => Destination === '/data')?.Name ?? '';
  await writeFile(join((await volumes.inspect(anonymous)).Mountpoint, 'x'), '1234');
  t.strictSame(await volumes.prune({}), { VolumesDeleted: [anonymous], SpaceReclaimed: 4 });
  const all = await volumes.prune({ all: ['1'] });
  t.strictSame(all, { VolumesDeleted: ['named'], SpaceReclaimed: 0 });
});

test('a missing source is made for -v and refused for --mount', needsRoot, async (t) => {
  const { volumes, recipe, dir } = await bench(t);
  const source = join(dir, 'new/folder');
  const asked = { hostConfig: { Binds: [`${source}:/y:ro`, `${join(dir, 'host/here')}:/f`] } };
  const record = await prepare(volumes, asked);
  t.notOk(existsSync(source), 'not before the start');
  t.match(record.mounts, [
    { Type: 'bind', Destination: '/f', RW: true, Propagation: 'rprivate' },
    { Type: 'bind', Source: source, Destination: '/y', Mode: 'ro', RW: false },
  ]);
  const mounts = await volumes.resolve(record, recipe);
  t.match(mounts, [
    { type: 'bind', destination: '/f', readonly: false },
    { type: 'bind', source, destination: '/y', readonly: true, recursiveReadonly: true },
  ]);
  t.ok(existsSync(source));
  const missing = join(dir, 'nowhere');
  const mount = { Type: 'bind', Source: missing, Target: '/y' };
  await t.rejects(prepare(volumes, { hostConfig: { Mounts: [mount] } }), {
    kind: 'InvalidParameter',
    message: `invalid mount config for type "bind": bind source path does not exist: ${missing}`,
  });
});

test('a refusal leaves nothing behind', needsRoot, async (t) => {
  const { volumes, dir } = await bench(t);
  for (const wrong of ['bad/name:/b', '/tmp:/a', '/tmp:/y:foo']) {
    const refused = prepare(volumes, { hostConfig: { Binds: ['good:/a', wrong] } });
    await t.rejects(refused, { kind: 'InvalidParameter', message: /./ });
  }
  t.strictSame((await volumes.list({})).Volumes, []);
  t.strictSame(await readdir(join(dir, 'volumes')), []);
});

test('mounts come in an order in which they can be made', needsRoot, async (t) => {
  const { volumes, recipe } = await bench(t);
  const hostConfig = { Binds: ['one:/a/b/c', 'two:/a'], Tmpfs: { '/a/b': 'size=1m' } };
  const mounts = await volumes.resolve(await prepare(volumes, { hostConfig }), recipe);
  t.strictSame(mounts.map(({ destination }) => destination), ['/a', '/a/b', '/a/b/c']);
  t.match(mounts[1], { type: 'tmpfs', options: ['size=1m'] });
});

test('a volume with a type is mounted from the first start on while held', needsRoot, async (t) => {
  const { volumes, recipe, dir } = await bench(t);
  const DriverOpts = { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,mode=700,noexec' };
  const { Mountpoint: path } = await volumes.create({ Name: 'ram', DriverOpts });
  t.teardown(() => {
    if (isMounted(path)) execFileSync('umount', [path]);
  });
  const record = await prepare(volumes, { hostConfig: { Binds: ['ram:/y'] } });
  t.notOk(isMounted(path));
  await volumes.resolve(record, recipe);
  await volumes.resolve(record, recipe);
  t.equal(isMounted(path), true);
  t.match(mountLine(path), /noexec.* tmpfs tmpfs .*size=1024k/);
  await volumes.release(record.id, { removeAnonymous: false });
  t.notOk(isMounted(path));
  const broken = { type: 'none', device: join(dir, 'nowhere'), o: 'bind' };
  await volumes.create({ Name: 'broken', DriverOpts: broken });
  const second = await prepare(volumes, { hostConfig: { Binds: ['broken:/y'] } });
  await t.rejects(volumes.resolve(second, recipe), /failed to mount local volume: .*ENOENT/);
});

test('after a crash nothing is held by a container that does not exist', needsRoot, async (t) => {
  const { volumes, dir, open } = await bench(t);
  const live = await prepare(volumes, { hostConfig: { Binds: ['kept:/a', '/anon'] } });
  const dead = await prepare(volumes, { hostConfig: { Binds: ['kept:/a', '/anon'] } });
  const orphan = dead.mounts.find(({ Destination }) => Destination === '/anon')?.Name ?? '';
  await mkdir(join(dir, 'volumes/empty/_data'), { recursive: true });
  await mkdir(join(dir, 'volumes/adopted/_data'), { recursive: true });
  await writeFile(join(dir, 'volumes/adopted/_data/x'), 'x');
  const next = await open();
  const told = await next.recover(new Set([live.id]));
  t.equal(told.length, 2);
  const names = (await next.list({})).Volumes.map(({ Name }) => Name);
  t.ok(names.includes('kept') && names.includes('adopted'));
  t.notOk(names.includes(orphan) || names.includes('empty'));
  t.strictSame(await next.recover(new Set([live.id])), []);
  t.match(await next.usage(), [{ Name: /./ }, { Name: /./ }, { Name: /./ }]);
});

function mountLine(path: string): string {
  const lines = execFileSync('cat', ['/proc/self/mountinfo'], { encoding: 'utf8' }).split('\n');
  return lines.find((line) => line.split(' ')[4] === path) ?? '';
}

function isMounted(path: string): boolean {
  return mountLine(path) !== '';
}
