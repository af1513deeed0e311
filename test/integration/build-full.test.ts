/**
 * A disk that fills up in the middle of a build: a clear error, nothing registered, temporary files
 * gone, and the next build works without a restart.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import tap, { test, type Test } from 'tap';
import { buildOn, type BuildAnswer, type BuildOptions } from '../support/builds.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { serveHttp } from '../support/http-files.js';

tap.setTimeout(240_000);

const skip = process.geteuid?.() === 0 ? false : 'mounts need root';
const megabyte = 2 ** 20;
const base = 'FROM tsdocker-demo\n';
const errorOf = ({ text, lines }: BuildAnswer): string => lines.at(-1)?.error ?? text;

/** A daemon whose data root is a disk of 104 megabytes, 64 of which unpacking leaves alone. */
async function smallWorld(t: Test): Promise<TestDaemon> {
  const disk = mkdtempSync(join(tmpdir(), 'tsdocker-full-'));
  t.teardown(() => rmSync(disk, { recursive: true, force: true }));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=104m', 'tmpfs', disk]);
  t.teardown(() => execFileSync('umount', ['-l', disk]));
  const dataRoot = join(disk, 'data');
  mkdirSync(dataRoot);
  const daemon = await startDaemon(t, { dataRoot });
  await importDemoImage(daemon.api);
  return daemon;
}

function freeBytes({ dataRoot }: TestDaemon): number {
  const { bavail, bsize } = statfsSync(dataRoot);
  return bavail * bsize;
}

const namesOf = async ({ api }: TestDaemon): Promise<unknown> =>
  ((await api.get('/images/json?all=1')).json as { RepoTags: unknown }[]).map((x) => x.RepoTags);

/** What the build took of the disk comes back, some of it in the background. */
async function nothingLeft(t: Test, daemon: TestDaemon, freeBefore: number): Promise<void> {
  t.same(readdirSync(join(daemon.dataRoot, 'build', 'builds')), []);
  t.same((await daemon.api.get('/containers/json?all=1')).json, []);
  t.same(await namesOf(daemon), [['tsdocker-demo:latest']]);
  await daemon.api.post('/build/prune?all=1');
  const slack = megabyte; // The database's log grows.
  for (let waited = 0; waited < 200; waited += 1) {
    if (freeBytes(daemon) > freeBefore - slack) break;
    await pause(50);
  }
  t.ok(freeBytes(daemon) > freeBefore - slack, `${freeBefore} were free: ${freeBytes(daemon)}`);
}

async function nextWorks(t: Test, daemon: TestDaemon): Promise<void> {
  const files = { Dockerfile: `${base}RUN echo fine > /fine\nCOPY a /\n`, a: 'A' };
  const answer = await buildOn(daemon.socket, { files, query: { t: 'fine', nocache: '1' } });
  t.match(answer.text, 'Successfully tagged fine:latest');
  t.equal((await daemon.api.delete('/images/fine?force=1')).status, 200);
}

const noSpace = /no space left on device/i;
const zeros = (megabytes: number): string => `head -c ${megabytes}m /dev/zero`;

interface Case {
  readonly lines: string;
  readonly files?: BuildOptions['files'];
  readonly why: RegExp;
}

const cases: Readonly<Record<string, Case>> = {
  'a command that writes too much': {
    lines: `RUN ${zeros(140)} > /large\n`,
    why: /returned a non-zero code: 1$/,
  },
  'a layer that does not fit beside its container': {
    lines: `RUN ${zeros(60)} > /large\n`,
    why: noSpace,
  },
  'a copy of what a stage made': {
    lines: `RUN ${zeros(9)} > /large\n${base}COPY --from=0 /large /a\nCOPY --from=0 /large /b\n`,
    why: noSpace,
  },
  'a mount of what a stage made': {
    lines:
      `RUN ${zeros(12)} > /large\n` +
      `${base}RUN --mount=from=0,target=/a --mount=from=0,target=/b true\n`,
    why: noSpace,
  },
  'a context': {
    lines: 'COPY large /\n',
    files: { large: Buffer.alloc(140 * megabyte) },
    why: noSpace,
  },
};

for (const [what, { lines, files, why }] of Object.entries(cases)) {
  test(`a full disk ends a build: ${what}`, { skip }, async (t) => {
    const daemon = await smallWorld(t);
    const pid = daemon.pid();
    const before = freeBytes(daemon);
    const Dockerfile = `${base}${lines}`;
    const query = { t: 'never', forcerm: '1' };
    const answer = await buildOn(daemon.socket, { files: { Dockerfile, ...files }, query });
    t.match(errorOf(answer), why);
    await nothingLeft(t, daemon, before);
    await nextWorks(t, daemon);
    t.equal(daemon.pid(), pid);
  });
}

test('a full disk ends a build: what ADD fetches or unpacks', { skip }, async (t) => {
  const daemon = await smallWorld(t);
  const server = await serveHttp(t);
  server.serve('/large', Buffer.alloc(140 * megabyte));
  const tar = execFileSync('sh', ['-c', 'head -c 140m /dev/zero > large && tar -cz large'], {
    cwd: t.testdir({}), maxBuffer: megabyte,
  });
  const before = freeBytes(daemon);
  for (const [line, context] of [
    [`ADD ${server.url}/large /`, {}],
    ['ADD a.tar.gz /', { 'a.tar.gz': tar }],
  ] as const) {
    const files = { Dockerfile: `${base}${line}\n`, ...context };
    const answer = await buildOn(daemon.socket, { files, query: { t: 'never' } });
    t.match(errorOf(answer), noSpace, line);
    await nothingLeft(t, daemon, before);
  }
  await nextWorks(t, daemon);
});

test('a cache of RUN that fills the disk goes by a prune', { skip }, async (t) => {
  const daemon = await smallWorld(t);
  const before = freeBytes(daemon);
  const Dockerfile = `${base}RUN --mount=type=cache,target=/c ${zeros(140)} > /c/x\n`;
  const answer = await buildOn(daemon.socket, { files: { Dockerfile }, query: { forcerm: '1' } });
  t.match(errorOf(answer), /returned a non-zero code: 1$/);
  await nothingLeft(t, daemon, before);
  await nextWorks(t, daemon);
});

test('a disk that is full already refuses builds, until there is room', { skip }, async (t) => {
  const daemon = await smallWorld(t);
  const filler = join(daemon.dataRoot, 'filler');
  const fill = (): void => {
    try {
      writeFileSync(filler, Buffer.alloc(140 * megabyte));
    } catch {
      // As far as it goes.
    }
  };
  for (const lines of ['ENV A=B\n', 'COPY a /\n', 'RUN echo x > /x\n', 'WORKDIR /new\n']) {
    const before = freeBytes(daemon);
    fill();
    t.equal(freeBytes(daemon), 0);
    const files = { Dockerfile: `${base}${lines}`, a: Buffer.alloc(megabyte) };
    const answer = await buildOn(daemon.socket, { files, query: { t: 'never', forcerm: '1' } });
    rmSync(filler);
    t.match(errorOf(answer), noSpace, lines);
    await nothingLeft(t, daemon, before);
    await nextWorks(t, daemon);
  }
});
