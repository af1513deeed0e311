/** A build that is cancelled, or whose client hangs up, leaves nothing, whatever it was about. */
import { readdirSync, type Dirent } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { Test } from 'tap';
import { test } from 'tap';
import { startAgent } from '../support/agent.js';
import { buildOn, contextOf } from '../support/builds.js';
import { until } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { serveHttp, type HttpFiles } from '../support/http-files.js';

const base = 'FROM tsdocker-demo\n';
/** What is in files of this size is no longer held in memory. */
const large = Buffer.alloc(8 * 2 ** 20, 'x');
/** A link keeps a context on disk. */
const onDisk = { link: { link: 'x' } };

interface World {
  readonly daemon: TestDaemon;
  readonly server: HttpFiles;
  readonly grants: string;
}

/** Lines that take all kinds of mounts, and then what a stage needs to go on. */
const mounted = (name: string, then: string): string =>
  `${base.trim()} AS ${name}\n` +
  `RUN --mount=type=cache,target=/c --mount=target=/ctx --mount=type=tmpfs,target=/t ` +
  `--mount=from=tsdocker-demo,source=/www,target=/from --mount=type=secret,id=s ` +
  `--mount=type=ssh touch /made /c/kept; ${then}\n`;
const join_ = `${base}COPY --from=a /made /a\nCOPY --from=b /made /b\n`;

async function world(t: Test): Promise<World> {
  const server = await serveHttp(t);
  // It is asked, and says nothing.
  for (const path of ['/v2/', '/slow', '/slow.tar']) server.serve(path, () => undefined);
  const daemon = await startDaemon(t, {
    flags: ['--insecure-registry', server.url.replace('http://', '')],
  });
  await importDemoImage(daemon.api);
  const agent = await startAgent(t, 'KEY', 'key');
  const grants = { Secrets: { s: 'b3Blbg==' }, SSH: { default: agent.path } };
  return { daemon, server, grants: Buffer.from(JSON.stringify(grants)).toString('base64url') };
}

/** Every path below, but for the database and its log; what goes meanwhile is not there. */
function pathsOf(folder: string, below = ''): readonly string[] {
  const entries = (): Dirent[] => {
    try {
      return readdirSync(join(folder, below), { withFileTypes: true });
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
      throw error;
    }
  };
  return entries()
    .filter(({ name }) => !name.startsWith('tsdocker.db'))
    .flatMap((entry) => {
      const path = join(below, entry.name);
      return entry.isDirectory() ? [path, ...pathsOf(folder, path)] : [path];
    })
    .sort();
}

/** What was removed goes in the background. */
function emptied({ dataRoot }: TestDaemon): Promise<void> {
  const isRest = (path: string): boolean => /(^|\/)(trash|builds)\/./.test(path);
  const isEmpty = (): boolean => !pathsOf(dataRoot).some(isRest);
  return until('nothing is on its way out', () => Promise.resolve(isEmpty()), 30_000);
}

/** All that there is of a daemon: on its disks, in the kernel, and what it tells. */
async function traces(daemon: TestDaemon): Promise<unknown> {
  const { dataRoot, execRoot, api } = daemon;
  const leaks = daemon.leaks();
  await api.post('/build/prune?all=1');
  await emptied(daemon);
  const [containers, images] = [
    (await api.get('/containers/json?all=1')).json, (await api.get('/images/json?all=1')).json,
  ];
  return { data: pathsOf(dataRoot), exec: pathsOf(execRoot), leaks, containers, images };
}

interface Moment {
  readonly files: object;
  readonly query?: Readonly<Record<string, string>>;
  /** Whether the build has come so far. */
  readonly reached: (world: World) => Promise<boolean>;
}

const asked = (path: string) => ({ server }: World): Promise<boolean> =>
  Promise.resolve(server.asked.includes(path));

const running = (count: number) => async ({ daemon }: World): Promise<boolean> =>
  ((await daemon.api.get('/containers/json')).json as unknown[]).length === count;

function momentsOf({ server }: World): Readonly<Record<string, Moment>> {
  const host = server.url.replace('http://', '');
  return {
    'its context is fetched': {
      files: {}, query: { remote: `${server.url}/slow.tar` }, reached: asked('/slow.tar'),
    },
    'its base is pulled': {
      files: { Dockerfile: `FROM ${host}/base:1\nRUN true\n`, ...onDisk }, reached: asked('/v2/'),
    },
    'ADD fetches': {
      files: { Dockerfile: `${base}ADD ${server.url}/slow /x\n`, large, ...onDisk },
      reached: asked('/slow'),
    },
    'two stages run with all kinds of mounts': {
      files: {
        Dockerfile: mounted('a', 'sleep 1000') + mounted('b', 'sleep 1000') + join_, large,
        ...onDisk,
      },
      reached: running(2),
    },
    'a stage runs, and another waits for what it copies from it': {
      files: { Dockerfile: mounted('a', 'sleep 1000') + mounted('b', 'true') + join_, ...onDisk },
      reached: running(1),
    },
  };
}

test('a build that is cancelled leaves nothing', async (t) => {
  const all = await world(t);
  const { daemon, server, grants } = all;
  const headers = { 'X-Build-Grants': grants };
  // What is made once and stays is there before.
  const first = await buildOn(daemon.socket, {
    files: { Dockerfile: mounted('a', 'true') + mounted('b', 'true') + join_, large, ...onDisk },
    headers,
  });
  t.match(first.text, 'Successfully built', JSON.stringify(first.lines.at(-1)));
  t.equal((await daemon.api.delete(`/images/${first.imageId}`)).status, 200);
  const before = await traces(daemon);
  const same = async (what: string): Promise<void> => {
    await until('its containers are gone', running(0).bind(undefined, all));
    let after: unknown;
    const isSame = async (): Promise<boolean> =>
      JSON.stringify((after = await traces(daemon))) === JSON.stringify(before);
    await until('all is as before', isSame).catch(() => undefined);
    t.same(after, before, what);
  };
  for (const [what, { files, query = {}, reached }] of Object.entries(momentsOf(all))) {
    for (const how of ['by its id', 'by a client that leaves']) {
      server.asked.length = 0;
      const leaving = new AbortController();
      const building = buildOn(daemon.socket, {
        files, headers, query: { ...query, t: 'cancelled', buildid: 'mine' },
        signal: leaving.signal,
      });
      building.catch(() => undefined);
      await until(what, () => reached(all), 30_000);
      if (how === 'by its id') await daemon.api.post('/build/cancel?id=mine');
      else leaving.abort();
      await building.then((answer) => answer.text, String);
      await same(`${what}; ${how}`);
    }
  }
});

test('a client that leaves while it sends its context leaves nothing', async (t) => {
  const { daemon } = await world(t);
  const builds = join(daemon.dataRoot, 'build', 'builds');
  const whole = contextOf({ Dockerfile: base, large, ...onDisk });
  const files = { Dockerfile: `FROM scratch\nCOPY large /\n`, large, ...onDisk };
  const first = await buildOn(daemon.socket, { files });
  await daemon.api.delete(`/images/${first.imageId}`);
  await daemon.api.post('/build/prune?all=1');
  await emptied(daemon);
  const before = pathsOf(daemon.dataRoot);
  for (const bytes of [0, 100, 1024, whole.length / 2, whole.length - 1]) {
    const sent = request({ socketPath: daemon.socket, path: '/build', method: 'POST' });
    const closed = new Promise<void>((resolve) => {
      sent.on('error', () => undefined).once('close', resolve);
    });
    if (bytes > 0) sent.write(whole.subarray(0, bytes));
    sent.flushHeaders();
    if (bytes > 2 ** 20) {
      await until('it is unpacked', () => Promise.resolve(readdirSync(builds).length > 0));
    }
    sent.destroy();
    await closed;
    let after: readonly string[] = [];
    const isSame = (): boolean =>
      JSON.stringify((after = pathsOf(daemon.dataRoot))) === JSON.stringify(before);
    await until('all is as before', () => Promise.resolve(isSame())).catch(() => undefined);
    t.same(after, before, `${bytes} bytes`);
  }
  t.equal((await daemon.api.get('/_ping')).status, 200);
});
