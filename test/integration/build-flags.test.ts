/** Flags of COPY and RUN that Docker's classic builder has not, and what RUN mounts may do. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { test } from 'tap';
import { buildOn, filesOf, type BuildAnswer, type BuildOptions } from '../support/builds.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';

async function world(t: Test): Promise<TestDaemon> {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  return daemon;
}

const base = 'FROM tsdocker-demo\n';
const errorOf = ({ text, lines }: BuildAnswer): string => lines.at(-1)?.error ?? text;

async function built(daemon: TestDaemon, lines: string, files: BuildOptions['files'] = {}) {
  const Dockerfile = `${base}${lines}`;
  const request = { files: { Dockerfile, ...files }, query: { t: 'built', nocache: '1' } };
  const answer = await buildOn(daemon.socket, request);
  if (!answer.text.includes('Successfully built')) throw new Error(errorOf(answer));
  return filesOf(daemon.socket, 'built');
}

test('--chmod sets modes, by number or by letters', async (t) => {
  const daemon = await world(t);
  const files = await built(
    daemon,
    'COPY --chmod=4711 a d /n/\nCOPY --chmod=u=rwX,go=rX a d /l/\n' +
      'COPY --chmod=a-w,+t --chown=3:4 a /c\n',
    { a: { content: 'A', mode: 0o600 }, 'd/x': { content: 'X', mode: 0o755 }, l: { link: 'a' } },
  );
  t.match(files.get('n/a'), { mode: 0o4711 });
  t.match(files.get('n/x'), { mode: 0o4711 });
  t.match(files.get('l/a'), { mode: 0o644 });
  t.match(files.get('l/x'), { mode: 0o755 });
  t.match(files.get('c'), { mode: 0o1400, uid: 3, gid: 4 });
  await t.rejects(built(daemon, 'COPY --chmod=9 a /\n', { a: '' }), /invalid chmod parameter: '9'/);
});

test('platforms are arguments of every build, where a stage declares them', async (t) => {
  const daemon = await world(t);
  const names = ['PLATFORM', 'OS', 'ARCH', 'VARIANT'];
  const all = ['TARGET', 'BUILD'].flatMap((kind) => names.map((name) => `${kind}${name}`));
  const Dockerfile =
    `FROM --platform=$BUILDPLATFORM tsdocker-demo AS host\nRUN echo "none [$TARGETARCH]"\n` +
    `${all.map((name) => `ARG ${name}\n`).join('')}ARG TARGETOS=given\n` +
    `RUN echo "${all.map((name) => `$${name}`).join(' ')}"\n` +
    'FROM scratch\nARG TARGETPLATFORM\nARG TARGETVARIANT\n' +
    'ENV OF=$TARGETPLATFORM V=$TARGETVARIANT\nCOPY --from=host /www /\n';
  const build = async (platform: string, more = {}): Promise<BuildAnswer> =>
    buildOn(daemon.socket, { files: { Dockerfile }, query: { t: 'p', platform, ...more } });
  const { Arch, Os } = (await daemon.api.get('/version')).json as { Arch: string; Os: string };
  const own = `${Os}/${Arch}`;
  const native = await build('');
  t.match(native.text, `none []\n`);
  t.match(native.text, `${own} given ${Arch}  ${own} ${Os} ${Arch} \n`);
  const other = await build('linux/arm/v7');
  t.match(other.text, `linux/arm/v7 given arm v7 ${own} ${Os} ${Arch} \n`, errorOf(other));
  t.match((await daemon.api.get('/images/p/json')).json, {
    Os: 'linux', Architecture: 'arm', Variant: 'v7',
    Config: { Env: [/^PATH=/, 'OF=linux/arm/v7', 'V=v7'] },
  });
  const args = await build('', { buildargs: JSON.stringify({ TARGETARCH: 'mine' }) });
  t.match(args.text, `${own} given mine  ${own} `, 'the client’s word goes before');
});

test('--parents keeps the folders, from the pivot on', async (t) => {
  const daemon = await world(t);
  const files = await built(
    daemon,
    'COPY --parents x/y/a x/z /p/\nCOPY --parents x/./y/a /q/\nCOPY --parents **/*.txt /r/\n',
    { 'x/y/a': 'A', 'x/z/b': 'B', 'x/z/c.txt': 'C', 'd.txt': 'D' },
  );
  for (const path of ['p/x/y/a', 'p/x/z/b', 'q/y/a', 'r/x/z/c.txt', 'r/d.txt']) {
    t.ok(files.has(path), path);
  }
  for (const path of ['q/x', 'p/x/y/b', 'r/x/y']) t.notOk(files.has(path), path);
});

test('--exclude leaves out, and the cache knows', async (t) => {
  const daemon = await world(t);
  const context = { 'd/a': 'A', 'd/b.log': 'B', 'd/e/c.log': 'C', 'd/e/f': 'F' };
  const files = await built(daemon, 'COPY --exclude=**/*.log --exclude=e/f d /d/\n', context);
  t.same([...files.keys()].filter((path) => /^d\b/.test(path)), ['d', 'd/a', 'd/e']);
  const hits = async (content: string): Promise<boolean> => {
    const Dockerfile = `${base}COPY --exclude=*.log d /d/\n`;
    const request = { files: { Dockerfile, 'd/a': 'A', 'd/b.log': content } };
    return (await buildOn(daemon.socket, request)).text.includes('Using cache');
  };
  t.equal(await hits('1'), false);
  t.equal(await hits('2'), true, 'what is left out makes no difference');
});

test('--link copies without a look at what lies beneath', async (t) => {
  const daemon = await world(t);
  const files = await built(daemon, 'COPY --link a /l/a\nCOPY --link --chown=5:6 d /m/\n', {
    a: 'A',
    'd/b': 'B',
  });
  t.match(files.get('l/a'), { content: 'A' });
  t.match(files.get('m/b'), { content: 'B', uid: 5, gid: 6 });
});

test('a name that would mean a removal in a layer is refused, not lost', async (t) => {
  const daemon = await world(t);
  const context = { '.wh.x': 'x', 'd/.wh.y': 'y', 'd/x': 'X' };
  for (const [line, name] of [
    ['COPY .wh.x /c/', 'c/.wh.x'], ['COPY d /c/', 'c/.wh.y'], ['COPY d/x /.wh.z', '.wh.z'],
    ['ADD .wh.x /c/', 'c/.wh.x'], ['COPY d/x /.wh.d/x', '.wh.d'], ['WORKDIR /a/.wh.w', 'a/.wh.w'],
    ['RUN echo x > /www/.wh.index.html', 'www/.wh.index.html'],
    ['RUN mkdir /e; touch /e/.wh..wh..opq', 'e/.wh..wh..opq'], ['RUN mkdir /.wh.f', '.wh.f'],
  ] as const) {
    const refused = built(daemon, `${line}\n`, context);
    const message =
      'failed to register layer: no layer can hold a name that begins with .wh.: ' +
      JSON.stringify(name);
    await t.rejects(refused, { message }, line);
  }
  t.same((await daemon.api.get('/containers/json?all=1')).json, [], 'none is kept half empty');
  const gone = await built(daemon, 'RUN touch /.wh.g && rm /.wh.g && touch /h\n');
  t.ok(gone.has('h'));
  const files = await built(daemon, 'COPY --exclude=.wh.* d /c/\nCOPY .wh.x /renamed\n', context);
  t.match(files.get('c/x'), { content: 'X' });
  t.match(files.get('renamed'), { content: 'x' });
});

test('caches belong to whom they are given, and to whoever knows their id', async (t) => {
  const daemon = await world(t);
  const files = await built(
    daemon,
    'RUN --mount=type=cache,id=c,target=/c,uid=7,gid=8,mode=0700 ' +
      "stat -c '%u %g %a' /c > /about; echo 1 > /c/x\n" +
      'RUN --mount=type=cache,id=c,target=/elsewhere,ro cat /elsewhere/x > /x; ' +
      'touch /elsewhere/y 2>/dev/null || echo readonly > /ro\n' +
      'RUN --mount=type=cache,id=other,target=/c ls /c > /other\n',
  );
  t.match(files.get('about'), { content: '7 8 700\n' });
  t.match(files.get('x'), { content: '1\n' });
  t.match(files.get('ro'), { content: 'readonly\n' });
  t.match(files.get('other'), { content: '' });
});

test('a bind is a copy: read-only, or written to for nobody', async (t) => {
  const daemon = await world(t);
  const files = await built(
    daemon,
    'RUN --mount=target=/ctx,source=d touch /ctx/x 2>/dev/null || echo readonly > /ro\n' +
      'RUN --mount=target=/ctx,source=d,rw echo changed > /ctx/a; cat /ctx/a > /changed\n' +
      'RUN --mount=target=/ctx,source=d cat /ctx/a > /same\n' +
      'RUN --mount=from=tsdocker-demo,source=/www,target=/w ls /w > /image\n' +
      'RUN --mount=type=tmpfs,target=/t,size=1m ' +
      'df -k /t | tail -1 | tr -s " " | cut -d" " -f2 > /size\n',
    { 'd/a': 'A' },
  );
  t.match(files.get('ro'), { content: 'readonly\n' });
  t.match(files.get('changed'), { content: 'changed\n' });
  t.match(files.get('same'), { content: 'A' });
  t.match(files.get('image'), { content: 'index.html\n' });
  t.match(files.get('size'), { content: '1024\n' });
  for (const path of ['ctx', 't', 'w']) t.notOk(files.has(path), path);
});

test('RUN --network: none has no link; host only if the build may', async (t) => {
  const daemon = await world(t);
  const files = await built(
    daemon,
    'RUN --network=none ls /sys/class/net > /none\n' +
      'RUN --network=default ls /sys/class/net > /own\n',
  );
  t.match(files.get('none'), { content: 'lo\n' });
  t.match(files.get('own'), { content: 'eth0\nlo\n' });
  const Dockerfile = `${base}RUN --network=host ls -l /proc/self/ns/net\n`;
  t.match(errorOf(await buildOn(daemon.socket, { files: { Dockerfile } })), /not allowed/);
  const query = { networkmode: 'host' };
  const allowed = await buildOn(daemon.socket, { files: { Dockerfile }, query });
  t.match(allowed.text, 'Successfully built');
});

test('limits of the build hold in its commands', async (t) => {
  const daemon = await world(t);
  const Dockerfile =
    `${base}RUN ulimit -n; ulimit -Hn; df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2; ` +
    'ls /sys/class/net; grep one /etc/hosts; nproc; head -c 200000000 /dev/zero | tail\n';
  const answer = await buildOn(daemon.socket, {
    files: { Dockerfile },
    query: {
      memory: '33554432', memswap: '33554432', cpusetcpus: '0', shmsize: '8388608',
      networkmode: 'none', extrahosts: 'one:1.2.3.4',
      ulimits: JSON.stringify([{ Name: 'nofile', Soft: 100, Hard: 200 }]),
    },
  });
  t.match(answer.text, '100\n200\n8192\nlo\n1.2.3.4\tone\n1\n');
  t.match(errorOf(answer), /returned a non-zero code: 137/, 'memory ran out');
  for (const [query, why] of [
    [{ memory: '1' }, /[Mm]inimum memory limit/],
    [{ cpusetcpus: '99' }, /Requested CPUs are not available/],
    [{ networkmode: 'none-such' }, /network none-such not found/],
    [{ extrahosts: 'nonsense' }, /bad format for add-host/],
    [{ ulimits: '[{"Name":"nope","Soft":1,"Hard":1}]' }, /invalid ulimit type: nope|ulimit/],
  ] as const) {
    const files = { Dockerfile: `${base}RUN true\n` };
    const refused = await buildOn(daemon.socket, { files, query });
    t.match(errorOf(refused), why);
  }
  t.same(readdirSync(join(daemon.dataRoot, 'build', 'builds')), []);
});
