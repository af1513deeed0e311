/**
 * A container's life by an engine in Node that decides nothing: `bare-engine SOCKET FOLDER [bridge|
 * port]`. It has one container in mind, whose program was compiled when it began, and looks nothing
 * up: it hears four requests, makes the same folders, groups, link, rule and process by the same
 * driver and shim as the daemon, and keeps a record that a power cut does not take away. What a
 * real engine takes beyond that is its own.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { basename, join } from 'node:path';
import { json } from 'node:stream/consumers';
import { bundlePaths, type BundlePaths } from '../../daemon/runtime/bundle.js';
import type { ContainerCgroup } from '../../daemon/runtime/cgroup/index.js';
import { openStore, type Store } from '../../daemon/store/index.js';
import type { LaunchRequest } from '../../native/shim/client.js';
import { launch, startShim } from '../../native/shim/client.js';
import { writeSmallFiles } from '../../native/small-files.js';
import { rootIdOf } from '../../test/support/leaks.js';
import { answer } from './answer.js';
import { bareNetwork, letGo, type BareNetwork, type Joined } from './bare-network.js';
import { compiledLife, type CompiledLife } from './compiled-life.js';

const migrations = [
  'CREATE TABLE containers (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, record TEXT NOT NULL)',
  'CREATE TABLE events (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, event TEXT NOT NULL)',
];
const folderMode = 0o710;
const logBounds = { maxSizeBytes: 20_000_000, maxFiles: 5 };

interface Life extends CompiledLife {
  readonly store: Store;
  readonly paths: BundlePaths;
  /** The folder of the writable layer. */
  readonly layer: string;
  readonly trash: string;
  /** Undefined without links. */
  readonly network: BareNetwork | undefined;
}

/** Of one life: who waits for its end, and what is there of it. */
interface Now {
  waiting?: ServerResponse;
  ended?: Promise<void>;
}

const event = (life: Life, action: string) => ({
  sql: 'INSERT INTO events (at, event) VALUES (?, ?)',
  params: [Date.now(), JSON.stringify({ type: 'container', action, id: life.id, attributes: {} })],
});

const keep = (life: Life, state: object) => ({
  sql: 'INSERT OR REPLACE INTO containers VALUES (?, ?, ?)',
  params: [life.id, life.id, JSON.stringify({ ...life.record, state })],
});

async function create(life: Life, asked: unknown): Promise<object> {
  const state = { status: 'created', asked };
  const kept = life.store.commit([keep(life, state), event(life, 'create')], 'full');
  mkdirSync(life.paths.bundle, folderMode);
  mkdirSync(life.paths.rootfs, folderMode);
  mkdirSync(life.layer, folderMode);
  mkdirSync(join(life.layer, 'diff'), folderMode);
  mkdirSync(join(life.layer, 'work'), folderMode);
  await kept;
  life.network?.expect();
  return { Id: life.id, Warnings: [] };
}

async function start(life: Life, now: Now): Promise<void> {
  const { paths, cgroups, config, text } = life;
  const limited = cgroups.create(config.linux.cgroupsPath, config.linux.resources);
  const files = ['hosts', 'hostname', 'resolv.conf']
    .map((name) => ({ path: join(paths.bundle, name), text: `${life.id}\n` }));
  const written = writeSmallFiles(files, 0o644);
  const joined = await life.network?.join();
  const held = joined?.held ?? [];
  const passed = joined === undefined ? [] : [joined.netns];
  const started = startShim(basename(paths.socket), [...passed, ...held.map(({ fd }) => fd)]);
  const [group] = await Promise.all([limited, written]);
  const launched = launch({ started, ...requestOf(life, group, joined) });
  writeFileSync(paths.config, text);
  const { shim, pid } = await launched;
  if (joined !== undefined) letGo(joined);
  now.ended = shim.exited.then(async (exit) => {
    await life.store.commit([keep(life, exit), event(life, 'die')], 'normal');
    now.waiting?.end(JSON.stringify({ StatusCode: exit.lost ? 255 : exit.exitCode }));
    await Promise.all([shim.bye(), group.remove(), joined?.leave()]);
  });
  await life.store.commit([keep(life, { status: 'running', pid }), event(life, 'start')], 'normal');
}

function requestOf(
  life: Life,
  group: ContainerCgroup,
  joined: Joined | undefined,
): LaunchRequest {
  const { launch: { program, stdio, rootDir, netns }, paths } = life;
  return {
    program,
    opens: true,
    ...(joined === undefined || netns === undefined
      ? {} : { passFds: new Map([[netns, joined.netns]]), held: joined.held }),
    onYield: async () => {
      await joined?.ready;
      return undefined;
    },
    monitor: {
      socketPath: paths.socket, exitPath: paths.exit, stdio, rootDir,
      log: { kind: 'json-file', path: join(paths.bundle, 'log'), ...logBounds },
      attach: { spillDir: paths.bundle, spillBytes: 0, stallMs: 10_000 },
      drainMs: 2000, oomFiles: group.oomFiles, killAtExit: [], keep: [],
    },
  };
}

async function remove(life: Life, now: Now): Promise<void> {
  const gone = { sql: 'DELETE FROM containers WHERE id = ?', params: [life.id] };
  await Promise.all([life.store.commit([gone, event(life, 'destroy')], 'full'), now.ended]);
  renameSync(life.paths.bundle, join(life.trash, 'bundle'));
  renameSync(life.layer, join(life.trash, 'layer'));
  setTimeout(() => {
    for (const name of ['bundle', 'layer']) {
      rmSync(join(life.trash, name), { recursive: true, force: true });
    }
  }, 50);
}

async function main([socket = '', folder = '', links]: readonly string[]): Promise<void> {
  const compiled = await compiledLife(folder, links !== undefined);
  const network = links === undefined
    ? undefined : await bareNetwork(rootIdOf(join(folder, 'data')), links === 'port');
  const paths = bundlePaths(join(folder, 'data'), join(folder, 'x'), compiled.id);
  const store = openStore(join(folder, 'db'), migrations);
  const life: Life = {
    ...compiled, store, paths, network,
    layer: join(folder, 'layer'), trash: join(folder, 'trash'),
  };
  let now: Now = {};
  const serve = async (method: string, path: string, response: ServerResponse, body: unknown) => {
    if (path.endsWith('/create')) return answer(response, 201, await create(life, body));
    if (path.includes('/wait')) {
      now = { waiting: response.writeHead(200, { 'Content-Type': 'application/json' }) };
      return response.flushHeaders();
    }
    await (method === 'DELETE' ? remove(life, now) : start(life, now));
    answer(response, 204);
  };
  const server = createServer((request, response) => {
    const hasBody = request.headers['content-type'] === 'application/json';
    const body = hasBody ? json(request) : Promise.resolve(undefined);
    body
      .then((asked) => serve(request.method ?? '', request.url ?? '', response, asked))
      .catch((problem: unknown) => {
        process.stderr.write(`bare-engine: ${String(problem)}\n`);
        response.destroy();
      });
  });
  server.listen(socket);
  process.stdin.resume().once('end', () => {
    void Promise.resolve(network?.close()).then(() => process.exit(0));
  });
}

await main(process.argv.slice(2));
