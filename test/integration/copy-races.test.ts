/**
 * `docker cp` against a container that fights back: names swapped while they are resolved, programs
 * and libraries put where a careless engine would execute them. A canary on the host stays as it
 * was, and nothing of it is ever seen (CVE-2018-15664, 2019-14271, 2026-41567, 2026-41568).
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import tap, { type Test, test } from 'tap';
import { xzBytes } from '../support/compressed.js';
import { create, run, start } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { tarOf } from '../support/tar.js';

tap.setTimeout(240_000);
const needsRoot = { skip: process.getuid?.() === 0 ? false : 'a daemon that mounts needs root' };

/** As much as a race gets: whichever comes first. */
const maxRounds = 2000;
const maxRaceMs = 4_000;
const secret = 'a secret of the host';

interface Canary {
  readonly path: string;
  readonly look: () => unknown;
}

function canaryIn(dir: string): Canary {
  const path = join(dir, 'canary');
  mkdirSync(path);
  writeFileSync(join(path, 'file'), secret);
  const look = () => [readdirSync(path), readFileSync(join(path, 'file'), 'utf8')];
  return { path, look };
}

const archive = (id: string, path: string) =>
  `/containers/${id}/archive?path=${encodeURIComponent(path)}`;

/** Reads, looks and writes for as long as a race lasts; all that was read. */
async function copyAll(
  { api }: TestDaemon,
  id: string,
  paths: readonly string[],
): Promise<{ readonly rounds: number; readonly read: string }> {
  const endMs = Date.now() + maxRaceMs;
  const read: string[] = [];
  let rounds = 0;
  for (; rounds < maxRounds && Date.now() < endMs; rounds++) {
    const path = paths[rounds % paths.length] ?? '';
    const tar = tarOf([{ name: 'put', content: 'put' }, { name: 'sub/put', content: 'put' }]);
    const answers = await Promise.all([
      api.get(archive(id, `${path}/`)),
      api.get(archive(id, `${path}/file`)),
      api.put(archive(id, path), tar),
    ]);
    for (const { status, bytes, text } of answers) {
      if (status >= 500 && !/ENOENT|ENOTDIR|EEXIST|ELOOP|EXDEV|ESTALE/.test(text)) {
        throw new Error(`${status} ${text}`);
      }
      if (bytes.includes(secret)) read.push(text);
    }
  }
  return { rounds, read: read.join('') };
}

/** Exchanges a folder and a link to the target, as fast as the kernel does it, until the end. */
function swap(t: Test, folder: string, target: string): void {
  mkdirSync(join(folder, 'real/sub'), { recursive: true });
  writeFileSync(join(folder, 'real/file'), 'mine');
  symlinkSync(target, join(folder, 'trap'));
  const script = `
import ctypes, os, sys
os.chdir(sys.argv[1])
libc = ctypes.CDLL(None)
print(flush=True)
while True: libc.renameat2(-100, b"real", -100, b"trap", 2)`;
  const stdio = ['ignore', 'ignore', 'inherit'] as const;
  const child = spawn('python3', ['-c', script, folder], { stdio: [...stdio] });
  t.teardown(() => child.kill('SIGKILL'));
}

test('names that are exchanged lead nowhere else', needsRoot, async (t) => {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  const dir = t.testdir({ abs: {}, up: {} });
  const canary = canaryIn(dir);
  const before = canary.look();
  const up = `${'../'.repeat(20)}${canary.path.slice(1)}`;
  for (const [name, target] of [['abs', canary.path], ['up', up]] as const) {
    swap(t, join(dir, name), target);
    const host = { Binds: [`${join(dir, name)}:/v`] };
    for (const running of [true, false]) {
      const make = running ? run : create;
      const id = await make(daemon, { command: ['sleep', '600'], host });
      const { rounds, read } = await copyAll(daemon, id, ['/v/real', '/v/trap', '/v']);
      t.comment(`${rounds} rounds`);
      t.ok(rounds > 20, 'the race went on');
      t.equal(read, '', 'nothing of the host was read');
      t.strictSame(canary.look(), before, 'and nothing written');
    }
  }
});

test('nested volumes on names that are exchanged stay inside', needsRoot, async (t) => {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  const dir = t.testdir({ outer: {} });
  const canary = canaryIn(dir);
  const before = canary.look();
  swap(t, join(dir, 'outer'), canary.path);
  const Binds = [
    `${join(dir, 'outer')}:/v`, 'inner1:/v/real', 'inner2:/v/real/sub', 'inner3:/v/trap',
    'inner4:/v/real/y/z',
  ];
  const victim = await create(daemon, { command: ['true'], host: { Binds } });
  const { rounds, read } = await copyAll(daemon, victim, ['/v/real', '/v/trap', '/v']);
  t.comment(`${rounds} rounds`);
  t.ok(rounds > 10, 'the race went on');
  t.equal(read, '');
  t.strictSame(canary.look(), before);
});

test('nothing of an image is executed or loaded', needsRoot, async (t) => {
  const daemon = await startDaemon(t);
  const { api } = daemon;
  await importDemoImage(api);
  const dir = t.testdir({});
  const marker = join(dir, 'marker');
  const script = `#!/bin/sh\necho ran > ${marker}\n`;
  const programs = ['xz', 'unpigz', 'unxz', 'gzip', 'zstd', 'bzip2', 'tar', 'chroot', 'sh'];
  const hostile = tarOf([
    ...['usr/', 'usr/bin/', 'usr/lib/', 'lib/x86_64-linux-gnu/', 'etc/', 'bin/'].map((name) => ({
      name, type: '5',
    })),
    ...programs.flatMap((name) => [
      { name: `usr/bin/${name}`, mode: 0o755, content: script },
      { name: `bin/${name}`, mode: 0o755, content: script },
    ]),
    { name: 'etc/nsswitch.conf', content: 'passwd: evil\ngroup: evil\n' },
    { name: 'etc/ld.so.preload', content: '/usr/lib/evil.so\n' },
    ...['libnss_evil.so.2', 'evil.so', 'libz.so.1', 'liblzma.so.5', 'libzstd.so.1', 'libbz2.so.1.0',
      'libcrypto.so.3'].flatMap((name) => [
      { name: `usr/lib/${name}`, mode: 0o755, content: 'no library at all' },
      { name: `lib/x86_64-linux-gnu/${name}`, mode: 0o755, content: 'no library at all' },
    ]),
    { name: 'etc/passwd', content: 'user:x:1000:1000::/:/bin/sh\n' },
  ]);
  const made = await api.post('/images/create?fromSrc=-&repo=hostile&tag=1', hostile);
  t.equal(made.status, 200);
  const config = { Image: 'hostile:1', User: 'user' };
  const id = await create(daemon, { command: ['/usr/bin/none'], config });
  const plain = tarOf([{ name: 'put', content: 'put' }]);
  for (const body of [plain, gzipSync(plain), xzBytes(plain)]) {
    const answer = await api.put(`${archive(id, '/etc')}&copyUIDGID=1`, body);
    t.equal(answer.status, 200, answer.text);
  }
  t.equal((await api.get(archive(id, '/etc'))).status, 200);
  t.equal((await api.get(`/containers/${id}/export`)).status, 200);
  t.equal((await api.post(`/commit?container=${id}&repo=made`, {})).status, 201);
  t.strictSame(readdirSync(dir), [], 'no program of it ran');
});

test('volumes of an image through links to the host stay inside', needsRoot, async (t) => {
  const daemon = await startDaemon(t);
  const { api } = daemon;
  await importDemoImage(api);
  const canary = canaryIn(t.testdir({}));
  const before = canary.look();
  const hostile = tarOf([
    { name: 'abs', type: '2', link: canary.path },
    { name: 'up', type: '2', link: `../../../../..${canary.path}` },
    { name: 'bin/', type: '5' },
  ]);
  const changes = encodeURIComponent('VOLUME ["/abs","/up"]');
  await api.post(`/images/create?fromSrc=-&repo=linked&tag=1&changes=${changes}`, hostile);
  const config = { Image: 'linked:1' };
  const id = await create(daemon, { command: ['/none'], config });
  for (const path of ['/abs', '/up', '/abs/', '/up/']) {
    const got = await api.get(archive(id, path));
    t.notOk(got.bytes.includes(secret), path);
    await api.put(archive(id, path), tarOf([{ name: 'put', content: 'put' }]));
  }
  t.notOk((await api.get(archive(id, '/'))).bytes.includes(secret));
  t.strictSame(canary.look(), before);
  await start(daemon, id).catch(() => undefined);
  t.strictSame(canary.look(), before);
});
