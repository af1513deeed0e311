/** The end of a build: what was made goes to the sink that its door has brought along. */
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { test, type Test } from 'tap';
import { prepareBuild, type Engine } from '../../../daemon/build/engine.js';
import { imageSink, type ExportSink, type Made } from '../../../daemon/build/export.js';
import { openCache } from '../../../daemon/build/cache.js';
import { openCacheMounts } from '../../../daemon/build/cache-mounts.js';
import { treeOf } from '../../../daemon/build/memory-tree.js';
import { openScratch } from '../../../daemon/build/scratch.js';
import {
  buildCacheMountTables, buildTables, type BuildContext,
} from '../../../daemon/build/index.js';
import { digestOf } from '../../../daemon/content/index.js';
import type { BuildHold, BuildImages, NewBuild } from '../../../daemon/images/builds.js';
import { openStore } from '../../../daemon/store/index.js';

const not = (what: string) => (): never => {
  throw new Error(`${what} is not part of this test`);
};

/** What the image store was asked for at the end of a build. */
interface Asked {
  readonly registered: NewBuild[];
  readonly tagged: (readonly [string, readonly string[]])[];
  released: number;
}

function played(known: readonly string[] = []) {
  const asked: Asked = { registered: [], tagged: [], released: 0 };
  const hold: BuildHold = {
    addLayer: not('a layer'),
    settle: () => Promise.resolve(),
    keepLayer: not('a layer'),
    keepBase: not('a base'),
    register: async (image) => void asked.registered.push(image),
    tag: async (id, tags) => void asked.tagged.push([id, tags]),
    release: async () => void (asked.released += 1),
  };
  const images: BuildImages = {
    base: not('a base'),
    // Only whether it is there counts.
    find: (id) => (known.includes(id) ? ({ id } as ReturnType<BuildImages['find']>) : undefined),
    whole: not('a base'),
    registryOf: not('a registry'),
    checkTag: (text) => text,
    hold: () => Promise.resolve(hold),
    storageKeys: not('a layer'),
  };
  return { asked, hold, images };
}

function engineOf(t: Test, images: BuildImages): { engine: Engine; folder: string } {
  const folder = t.testdir({});
  const store = openStore(join(folder, 'db'), [buildTables, buildCacheMountTables]);
  t.teardown(() => store.close());
  const containers = {
    create: not('RUN'), run: not('RUN'), layer: not('RUN'), keep: not('RUN'), remove: not('RUN'),
  };
  const context: BuildContext = {
    store, images, containers, folder,
    layerFolders: (keys) => keys.map((key) => `/layers/${key}`),
    resolveOwner: not('COPY'),
    checkSignal: not('STOPSIGNAL'),
    unpack: not('ADD'),
    removeTree: () => Promise.resolve(),
    treeBytes: not('a cache'),
    secretFolder: join(folder, 'secrets'),
    version: '1.2.3',
    nowMs: () => 1_700_000_000_000,
    warn: not('a warning'),
  };
  const cacheMounts = openCacheMounts({ ...context, folder: join(folder, 'cache') });
  const slots = { run: <T>(work: () => Promise<T>) => work() };
  return { engine: { context, cache: openCache(store), cacheMounts, slots }, folder };
}

async function build(t: Test, images: BuildImages, sink: ExportSink): Promise<string> {
  const { engine, folder } = engineOf(t, images);
  const prepared = prepareBuild(engine, {
    dockerfile: 'FROM scratch\nLABEL a=b\nCMD ["/x"]\n',
    context: treeOf(new Map(), 0),
    args: {}, labels: {}, target: '', platform: '', useCache: true, cacheFrom: [],
    pull: false, keepContainers: 'never', hostConfig: {}, sink,
    session: { secret: not('a secret'), sshAgent: not('an agent'), auth: not('a registry') },
  });
  const { imageId } = await prepared.run({
    observer: { planned: () => undefined, tell: () => Promise.resolve() },
    scratch: openScratch(join(folder, 'builds'), () => Promise.resolve()),
    signal: new AbortController().signal,
  });
  // What it held is let go behind the answer.
  await setImmediate();
  return imageId;
}

test('a sink of another kind takes what was made, and the image store hears nothing', async (t) => {
  const { asked, images } = played();
  const taken: Made[] = [];
  const id = await build(t, images, { take: async (made) => void taken.push(made) });
  const [made] = taken;
  t.equal(taken.length, 1);
  t.equal(made?.state.id, id);
  t.equal(digestOf(Buffer.from(made?.configText ?? '')), id, 'the config is the image');
  t.match(JSON.parse(made?.configText ?? ''), { config: { Labels: { a: 'b' }, Cmd: ['/x'] } });
  t.same(asked, { registered: [], tagged: [], released: 1 });
});

test('a sink that fails ends the build with its error, and what was held is let go', async (t) => {
  const { asked, images } = played();
  const full: ExportSink = { take: () => Promise.reject(new Error('no room there')) };
  await t.rejects(build(t, images, full), { message: 'no room there' });
  t.same(asked, { registered: [], tagged: [], released: 1 });
});

test('the image store gets a new image with its names; one that is there names only', async (t) => {
  const fresh = played();
  const id = await build(t, fresh.images, imageSink(['a:1', 'b:2']));
  t.match(fresh.asked.registered, [{ tags: ['a:1', 'b:2'], parentId: '', layers: [] }]);
  const there = played([id]);
  t.equal(await build(t, there.images, imageSink(['c:3'])), id);
  t.same(there.asked, { registered: [], tagged: [[id, ['c:3']]], released: 1 });
});

test('a build that was cancelled meanwhile leaves no image', async (t) => {
  const { asked, hold, images } = played();
  const made = { state: { id: 'sha256:1' }, configText: '', folders: () => [] } as unknown as Made;
  const signal = AbortSignal.abort(new Error('context canceled'));
  await t.rejects(imageSink(['a:1']).take(made, { hold, images, signal }), /context canceled/);
  t.same(asked.registered, []);
});
