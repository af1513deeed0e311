/** `docker cp` by the API: containers that run, that have run, and that never did. */
import { execFileSync } from 'node:child_process';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import tap, { type Test, test } from 'tap';
import type { ContainerPathStat } from '../../api-spec/index.js';
import { bzip2Bytes, xzBytes } from '../support/compressed.js';
import { create, logText, output, start } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { tarOf, type TarEntry } from '../support/tar.js';

tap.setTimeout(240_000);

const needsRoot = {
  skip: process.getuid?.() === 0 ? false : 'a daemon that mounts needs root',
  timeout: 240_000,
};

interface Bench {
  readonly daemon: TestDaemon;
  readonly url: (id: string, path: string, more?: string) => string;
  /** The status header of HEAD, or the status. */
  readonly head: (id: string, path: string) => Promise<ContainerPathStat | number>;
  readonly get: (id: string, path: string) => Promise<readonly string[]>;
  readonly put: (id: string, path: string, body: readonly TarEntry[] | Buffer, more?: string) =>
    Promise<string>;
  readonly sh: (id: string, script: string) => Promise<string>;
}

async function bench(t: Test, flags: readonly string[] = []): Promise<Bench> {
  const daemon = await startDaemon(t, { flags });
  await importDemoImage(daemon.api);
  const { api } = daemon;
  const url = (id: string, path: string, more = ''): string =>
    `/v1.45/containers/${id}/archive?path=${encodeURIComponent(path)}${more}`;
  return {
    daemon,
    url,
    head: async (id, path) => {
      const message = await api.open(url(id, path), { method: 'HEAD' });
      message.resume();
      const header = message.headers['x-docker-container-path-stat'];
      if (typeof header !== 'string') return message.statusCode ?? 0;
      return JSON.parse(Buffer.from(header, 'base64').toString()) as ContainerPathStat;
    },
    get: async (id, path) => {
      const answer = await api.get(url(id, path));
      if (answer.status !== 200) return [`${answer.status} ${answer.json.message}`];
      return listed(answer.bytes);
    },
    put: async (id, path, body, more = '') => {
      const bytes = Buffer.isBuffer(body) ? body : tarOf(body);
      const { status, json } = await api.put(url(id, path, more), bytes);
      return status === 200 ? '200' : `${status} ${json?.message}`;
    },
    sh: async (id, script) => {
      const body = { AttachStdout: true, AttachStderr: true, Cmd: ['sh', '-c', script], Tty: true };
      const made = await api.post(`/containers/${id}/exec`, body);
      const ran = await api.post(`/exec/${made.json.Id}/start`, { Tty: true });
      return ran.text.replaceAll('\r\n', '\n').trim();
    },
  };
}

/** As `tar -tv` shows it: mode, owner, name, link. */
function listed(tar: Buffer): string[] {
  const text = execFileSync('tar', ['-tvf', '-', '--numeric-owner', '-P'], {
    input: tar, encoding: 'utf8',
  });
  return text.trim().split('\n').map((line) => {
    const [mode = '', owner = '', , , , ...name] = line.split(/ +/);
    return `${mode} ${owner} ${name.join(' ')}`;
  });
}

const file = (name: string, content = name): TarEntry => ({ name, content });
const dir = (name: string): TarEntry => ({ name: `${name}/`, type: '5' });
const link = (name: string, to: string): TarEntry => ({ name, type: '2', link: to });
const tree = [
  dir('d'), file('d/file'), link('d/link', 'file'), dir('d/sub'), file('d/sub/deep'),
  link('dl', 'd'), link('broken', '/nowhere/./x'), link('abs', '/d/file'),
];

for (const state of ['created', 'running', 'exited'] as const) {
  test(`paths of a container that is ${state}`, needsRoot, async (t) => {
    const { daemon, head, get, put, url } = await bench(t);
    const id = await create(daemon, {
      name: 'cc', command: state === 'exited' ? ['true'] : ['sleep', '600'],
      host: { Binds: ['vol:/vol'] },
    });
    if (state !== 'created') await start(daemon, id);
    if (state === 'exited') await daemon.api.post(`/containers/${id}/wait`);
    t.equal(await put(id, '/', tree), '200');

    await t.test('a stat is Docker\'s', async (t) => {
      const mtime = '2020-09-13T12:26:40Z';
      const folder = { name: 'd', size: 4096, mode: 2147484141, mtime, linkTarget: '' };
      t.strictSame(await head(id, '/d'), folder);
      t.strictSame(await head(id, 'd/'), folder);
      t.strictSame(await head(id, '/d/.'), { ...folder, name: '.' });
      t.strictSame(await head(id, '/x/../d'), folder);
      const plain = { name: 'file', size: 6, mode: 420, mtime, linkTarget: '' };
      t.strictSame(await head(id, '/d/file'), plain);
      const linked = { name: 'link', size: 4, mode: 134218239, mtime, linkTarget: '/d/file' };
      t.strictSame(await head(id, '/d/link'), linked);
      t.match(await head(id, '/dl'), { mode: 134218239, linkTarget: '/d' });
      t.match(await head(id, '/dl/'), { name: 'dl', mode: 2147484141, linkTarget: '' });
      t.match(await head(id, '/broken'), { linkTarget: '/nowhere/x' });
      t.match(await head(id, '/'), { name: '/', mode: 2147484141 });
      t.match(await head(id, '/.'), { name: '.', mode: 2147484141 });
      t.match(await head(id, '/vol'), { name: 'vol', mode: 2147484141 });
      t.match(await head(id, '/../../d'), { name: 'd' });
      t.equal(await head(id, '/nope'), 404);
      t.equal(await head(id, '/d/file/'), 400);
      t.equal(await head('nope', '/'), 404);
    });

    await t.test('a tar is named after the path', async (t) => {
      const below = (at: string): string[] => [
        `drwxr-xr-x 0/0 ${at}/`, `-rw-r--r-- 0/0 ${at}/file`,
        `lrwxrwxrwx 0/0 ${at}/link -> file`, `drwxr-xr-x 0/0 ${at}/sub/`,
        `-rw-r--r-- 0/0 ${at}/sub/deep`,
      ];
      t.strictSame(await get(id, '/d'), below('d'));
      t.strictSame(await get(id, '/d/'), below('d'));
      t.strictSame(await get(id, '/d/.'), below('.'));
      t.strictSame(await get(id, '/dl/'), below('dl'));
      t.strictSame(await get(id, '/dl'), ['lrwxrwxrwx 0/0 dl -> d']);
      t.strictSame(await get(id, '/d/file'), ['-rw-r--r-- 0/0 file']);
      const whole = await get(id, '/');
      t.ok(whole.includes('-rw-r--r-- 0/0 /d/file'));
      t.ok(whole.some((name) => name.endsWith(' /proc/')));
      const made = whole.filter((name) => /^\S+ \S+ \/(proc|sys|dev)\/[a-z]/.test(name));
      const own = ' /dev/console';
      t.strictSame(made.filter((name) => !name.endsWith('/') && !name.endsWith(own)), []);
      t.match(await get(id, '/nope'), [`404 Could not find the file /nope in container ${id}`]);
      t.match(await get('cc', 'no/pe'), ['404 Could not find the file no/pe in container cc']);
      t.strictSame(await get(id, '/d/file/x'), ['400 lstat /d/file/x: not a directory']);
      t.strictSame(await get(id, ''), ['400 bad parameter: pathcannot be empty']);
      const answer = await daemon.api.get(url(id, '/d'), {
        headers: { 'Accept-Encoding': 'deflate, gzip;q=0.5' },
      });
      t.equal(answer.headers['content-encoding'], 'gzip');
      t.equal(answer.headers['content-type'], 'application/x-tar');
      t.strictSame(listed(gunzipSync(answer.bytes)), below('d'));
      const headers = { 'Accept-Encoding': 'gzip;q=0' };
      const plain = await daemon.api.get(url(id, '/d'), { headers });
      t.equal(plain.headers['content-encoding'], undefined);
    });

    await t.test('a tar is unpacked as Docker does', async (t) => {
      const missing = (path: string) => `404 Could not find the file ${path} in container ${id}`;
      t.equal(await put(id, '/nope', [file('x')]), missing('/nope'));
      t.equal(await put(id, '/broken', [file('x')]), missing('/broken'));
      t.equal(await put(id, '/d/file', [file('x')]), '400 extraction point is not a directory');
      t.equal(await put(id, '', [file('x')]), '400 bad parameter: pathcannot be empty');
      t.equal(await put(id, '/d', Buffer.alloc(0)), '200');
      t.match(await put(id, '/d', Buffer.alloc(3000, 'x')), /^400 .*invalid tar header/);
      t.match(await put(id, '/d', tarOf(tree).subarray(0, 300)), /^400 unexpected EOF/);
      t.match(await put(id, '/d', [file('../climb')]), /^400 .*climb/);
      const climbing = { name: 'h', type: '1', link: '../etc/passwd' };
      t.match(await put(id, '/d', [climbing]), /^400 /);
      const keep = '&noOverwriteDirNonDir=1';
      t.equal(
        await put(id, '/d', [dir('.'), file('sub')], keep),
        '400 cannot overwrite directory "/d/sub" with non-directory "/d"',
      );
      t.equal(
        await put(id, '/d', [dir('file')], keep),
        '400 cannot overwrite non-directory "/d/file" with directory "/d"',
      );
      const itself = { ...dir('.'), mode: 0o700, uid: 9 };
      t.equal(await put(id, '/dl', [itself, file('sub'), file('/abs2')]), '200');
      t.equal(await put(id, '/d/', [{ name: 'owned', uid: 1234, gid: 4321, mode: 0o4755 }]), '200');
      t.equal(await put(id, '/d', [file('.wh.link'), file('i/m/plied')]), '200');
      t.equal(await put(id, '/d', [file('h1'), { name: 'h2', type: '1', link: 'h1' }]), '200');
      t.equal(await put(id, '/d', [link('esc', '/etc'), file('esc/through')]), '200');
      t.strictSame(await get(id, '/d'), [
        'drwxr-xr-x 0/0 d/', '-rw-r--r-- 0/0 d/.wh.link', '-rw-r--r-- 0/0 d/abs2',
        'lrwxrwxrwx 0/0 d/esc -> /etc', '-rw-r--r-- 0/0 d/file', '-rw-r--r-- 0/0 d/h1',
        'hrw-r--r-- 0/0 d/h2 link to d/h1', 'drwxr-xr-x 0/0 d/i/', 'drwxr-xr-x 0/0 d/i/m/',
        '-rw-r--r-- 0/0 d/i/m/plied', 'lrwxrwxrwx 0/0 d/link -> file',
        '-rwsr-xr-x 1234/4321 d/owned', '-rw-r--r-- 0/0 d/sub',
      ]);
      t.strictSame(await get(id, '/etc/through'), ['-rw-r--r-- 0/0 through']);
      for (const [name, bytes] of Object.entries({
        gzip: gzipSync(tarOf([file('gzip')])), xz: xzBytes(tarOf([file('xz')])),
        bzip2: bzip2Bytes(tarOf([file('bzip2')])),
      })) {
        t.equal(await put(id, '/d/i', bytes), '200');
        t.match(await head(id, `/d/i/${name}`), { name, size: name.length });
      }
    });

    await t.test('a volume is in its place', async (t) => {
      t.equal(await put(id, '/vol', [file('in-volume')]), '200');
      const seen = await output(daemon, {
        command: ['cat', '/v/in-volume'], host: { Binds: ['vol:/v'] },
      });
      t.equal(seen.text, 'in-volume');
      t.strictSame(await get(id, '/vol/in-volume'), ['-rw-r--r-- 0/0 in-volume']);
    });
  });
}

test('what was put before a start is there, beside what is copied up', needsRoot, async (t) => {
  const { daemon, put, get, head } = await bench(t);
  const id = await create(daemon, {
    command: ['sh', '-c', 'cat /run/secrets/key /www/index.html /www/new'],
    host: { Binds: ['www:/www', `${t.testdir({})}:/run/secrets`], Tmpfs: { '/t': '' } },
  });
  t.equal(await put(id, '/run/secrets', [file('key', 'secret ')]), '200');
  t.equal(await put(id, '/www', [file('new')]), '200');
  t.match(await head(id, '/www/index.html'), { name: 'index.html' }, 'copied up before');
  await start(daemon, id);
  await daemon.api.post(`/containers/${id}/wait`);
  const log = await daemon.api.get(`/containers/${id}/logs?stdout=1&stderr=1`);
  t.match(log.text, /secret/);
  t.match(log.text, /Hello from a container/);
  t.match(await get(id, '/etc/hosts'), ['-rw-r--r-- 0/0 hosts']);
});

test('the engine\'s own names are there before the first start', needsRoot, async (t) => {
  const { daemon, get, head, sh } = await bench(t);
  const { api } = daemon;
  const id = await create(daemon, { command: ['sleep', '60'] });
  const marker = await head(id, '/.dockerenv');
  t.match(marker, { name: '.dockerenv', size: 0, mode: 0o755 });
  t.strictSame(await get(id, '/dev'), [
    'drwxr-xr-x 0/0 dev/', '-rwxr-xr-x 0/0 dev/console', 'drwxr-xr-x 0/0 dev/pts/',
    'drwxr-xr-x 0/0 dev/shm/',
  ]);
  const exported = async (): Promise<readonly string[]> =>
    listed((await api.get(`/containers/${id}/export`)).bytes).filter((line) =>
      / (?:\.dockerenv|etc\/(?:host|resolv|mtab)\S*)/.test(line));
  const own = [
    '-rwxr-xr-x 0/0 .dockerenv', '-rwxr-xr-x 0/0 etc/hostname', '-rwxr-xr-x 0/0 etc/hosts',
    'lrwxrwxrwx 0/0 etc/mtab -> /proc/mounts', '-rwxr-xr-x 0/0 etc/resolv.conf',
  ];
  t.strictSame(await exported(), own);
  await start(daemon, id);
  t.equal(await sh(id, 'ls -A /.dockerenv; grep -c . /etc/mtab >&2 && cat /etc/hostname'),
    `/.dockerenv\n${(await sh(id, 'grep -c . /proc/mounts'))}\n${id.slice(0, 12)}`);
  t.strictSame(await exported(), own, 'what is mounted is not in the container\'s folder');
  t.equal((await api.get(`/containers/${id}/changes`)).json, null);
  await api.post(`/containers/${id}/kill`);
  const made = await api.post(`/commit?container=${id}&repo=init-less`);
  const image = await api.get(`/images/${made.json.Id}/json`);
  const base = await api.get('/images/tsdocker-demo/json');
  t.equal(image.json.Size, base.json.Size, 'and in no image');
});

for (const driver of ['overlay', 'vfs']) {
  test(`a working directory is there before the first start: ${driver}`, needsRoot, async (t) => {
    const b = await bench(t, ['--storage-driver', driver]);
    const id = await create(b.daemon, { config: { WorkingDir: '/made/new' }, command: ['pwd'] });
    t.match(await b.head(id, '/made/new'), { name: 'new', mode: 2 ** 31 + 0o755 });
    t.equal(await b.put(id, '/made/new', [{ name: 'a', content: 'x' }]), '200');
    await start(b.daemon, id);
    await b.daemon.api.post(`/containers/${id}/wait`);
    t.equal((await logText(b.daemon, id)).trim(), '/made/new');
    const body = { Image: 'tsdocker-demo', WorkingDir: '/etc/passwd' };
    const { status, json } = await b.daemon.api.post('/containers/create', body);
    t.same([status, json.message], [400, 'Cannot mkdir: /etc/passwd is not a directory']);
  });
}

test('a running container\'s own mounts are seen', needsRoot, async (t) => {
  const { daemon, put, get, sh } = await bench(t);
  const id = await create(daemon, { command: ['sleep', '600'], host: { Tmpfs: { '/t': '' } } });
  await start(daemon, id);
  t.equal(await put(id, '/t', [file('put')]), '200');
  t.equal(await sh(id, 'cat /t/put; echo x > /t/own; echo > /dev/shm/s'), 'put');
  t.strictSame(await get(id, '/t'), [
    'drwxrwxrwt 0/0 t/', '-rw-r--r-- 0/0 t/own', '-rw-r--r-- 0/0 t/put',
  ]);
  t.strictSame(await get(id, '/dev/shm/s'), ['-rw-r--r-- 0/0 s']);
  t.match(await get(id, '/proc/1/status'), [/^404/]);
  t.match(await put(id, '/proc', [file('x')]), /^404/);
  await daemon.api.post(`/containers/${id}/pause`);
  t.match(await get(id, '/t/own'), ['-rw-r--r-- 0/0 own'], 'also while it is paused');
  await daemon.api.post(`/containers/${id}/unpause`);
});

test('what is read-only is not written to', needsRoot, async (t) => {
  const { daemon, put, get, sh } = await bench(t);
  for (const running of [false, true]) {
    const id = await create(daemon, {
      command: ['sleep', '600'],
      host: { ReadonlyRootfs: true, Binds: ['ro:/ro:ro', 'rw:/rw'], Tmpfs: { '/t': '' } },
    });
    if (running) await start(daemon, id);
    t.equal(await put(id, '/tmp', [file('x')]), '403 container rootfs is marked read-only');
    t.equal(await put(id, '/ro', [file('x')]), '403 mounted volume is marked read-only');
    t.equal(await put(id, '/rw', [file('x')]), '200');
    t.strictSame(await get(id, '/rw/x'), ['-rw-r--r-- 0/0 x']);
    if (running) t.equal(await sh(id, 'ls /ro /rw'), '/ro:\n\n/rw:\nx');
  }
});

test('files may be made to belong to the container\'s user', needsRoot, async (t) => {
  const { daemon, put, get } = await bench(t);
  const owned = [{ name: 'x', uid: 5, gid: 6 }];
  for (const [User, owner] of [['user', '1000/1000'], ['7:8', '7/8'], ['', '5/6']] as const) {
    const id = await create(daemon, { command: ['sleep', '600'], config: { User } });
    t.equal(await put(id, '/tmp', owned, '&copyUIDGID=1'), '200');
    t.strictSame(await get(id, '/tmp/x'), [`-rw-r--r-- ${owner} x`]);
    t.equal(await put(id, '/tmp', owned), '200');
    t.strictSame(await get(id, '/tmp/x'), ['-rw-r--r-- 5/6 x']);
  }
});

test('a copy does not hold up a start for long, nor a removal', needsRoot, async (t) => {
  const { daemon, url, head } = await bench(t);
  const { api } = daemon;
  const slow = async (id: string) => {
    const body = new PassThrough();
    body.write(tarOf([file('first')]).subarray(0, 1024));
    const answer = api.put(url(id, '/tmp'), body, { timeoutMs: 60_000 });
    answer.catch(() => undefined);
    await sleep(300);
    return { body, answer };
  };
  const one = await create(daemon, { command: ['sleep', '600'] });
  const { body, answer } = await slow(one);
  const starting = api.post(`/containers/${one}/start`);
  await sleep(500);
  t.equal((await api.get(`/containers/${one}/json`)).json.State.Status, 'created');
  body.end(Buffer.alloc(1024));
  t.equal((await answer).status, 200);
  t.equal((await starting).status, 204, 'the start came after the copy');
  t.match(await head(one, '/tmp/first'), { size: 5 });

  const two = await create(daemon, { command: ['sleep', '600'] });
  const stuck = await slow(two);
  const began = Date.now();
  t.equal((await api.delete(`/containers/${two}`)).status, 204);
  t.ok(Date.now() - began < 5000, 'a removal ends it');
  t.match(await stuck.answer, { status: 409 });

  const three = await create(daemon, { command: ['sleep', '600'] });
  const never = await slow(three);
  t.equal((await api.post(`/containers/${three}/start`)).status, 204, 'a start waits so long');
  t.match(await never.answer, { status: 409, json: { message: /is being started/ } });
});

test('reading holds up nobody, and ends with its reader', needsRoot, async (t) => {
  const { daemon, url, sh } = await bench(t);
  const { api } = daemon;
  const id = await create(daemon, { command: ['sleep', '600'] });
  await start(daemon, id);
  await sh(id, 'head -c 64000000 /dev/zero > /tmp/big');
  await api.post(`/containers/${id}/stop?t=0`);
  const reading = await api.open(url(id, '/tmp'));
  t.equal(reading.statusCode, 200);
  await new Promise((resolve) => reading.once('readable', resolve));
  t.equal((await api.post(`/containers/${id}/start`)).status, 204, 'started while it is read');
  reading.destroy();
  await sleep(500);
  const look = 'grep -l "path=/tm[p]" /proc/[0-9]*/cmdline || true';
  const left = execFileSync('sh', ['-c', look], { encoding: 'utf8' });
  t.notMatch(left, /\d/, 'no process is left');
});

test('the same on vfs', needsRoot, async (t) => {
  const { daemon, put, get } = await bench(t, ['--storage-driver', 'vfs']);
  const id = await create(daemon, { command: ['sleep', '600'], host: { Binds: ['vv:/deep/vol'] } });
  t.equal(await put(id, '/deep/vol', [file('x')]), '200');
  t.equal(await put(id, '/tmp', tree), '200');
  t.strictSame(await get(id, '/deep'), [
    'drwxr-xr-x 0/0 deep/', 'drwxr-xr-x 0/0 deep/vol/', '-rw-r--r-- 0/0 deep/vol/x',
  ]);
  await start(daemon, id);
  t.equal((await get(id, '/tmp')).length, 9);
});
