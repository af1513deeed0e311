/** The daemon's memory does not grow with what passes through it. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { text } from 'node:stream/consumers';
import { test, type Test } from 'tap';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { startRegistry } from '../support/registry.js';
import { entryOf } from '../support/tar.js';

const skip = process.geteuid?.() === 0 ? false : 'daemons need root';
const megabyte = 2 ** 20;
/** One that is large, against one that is not. */
const sizes = { small: 8, large: 192 } as const;
/** Far less than the difference of the sizes; what the collector leaves to itself is within. */
const maxGrowthBytes = 64 * megabyte;

/** A tar of one file that does not shrink. */
function* layerOf(megabytes: number): Generator<Buffer> {
  const [head = Buffer.alloc(0)] = entryOf({ name: 'big', size: megabytes * megabyte });
  yield head;
  for (let sent = 0; sent < megabytes; sent += 1) yield randomBytes(megabyte);
  yield Buffer.alloc(1024);
}

/** Sends it to `docker import`. */
function importOf({ socket }: TestDaemon, name: string, megabytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const path = `/images/create?fromSrc=-&repo=${encodeURIComponent(name)}&tag=1`;
    const sent = request({ socketPath: socket, path, method: 'POST' }, (answer) => {
      text(answer).then(resolve, reject);
    });
    pipeline(Readable.from(layerOf(megabytes)), sent).catch(reject);
  });
}

/** The largest that it was since the last time. */
async function peakBytes(daemon: TestDaemon): Promise<number> {
  const folder = `/proc/${daemon.pid()}`;
  const status = await readFile(`${folder}/status`, 'utf8');
  await writeFile(`${folder}/clear_refs`, '5');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

async function read({ api }: TestDaemon, path: string): Promise<number> {
  let bytes = 0;
  for await (const chunk of await api.open(path)) bytes += (chunk as Buffer).length;
  return bytes;
}

/** Peaks of each transfer of an image of that size. */
async function transfer(
  t: Test,
  { daemon, host }: { readonly daemon: TestDaemon; readonly host: string },
  megabytes: number,
): Promise<Readonly<Record<string, number>>> {
  const { api } = daemon;
  const name = `${host}/of-${megabytes}`;
  const peaks: Record<string, number> = {};
  await peakBytes(daemon);
  const measure = async (what: string, act: () => Promise<unknown>): Promise<void> => {
    await act();
    peaks[what] = await peakBytes(daemon);
  };
  await measure('import', async () =>
    t.match(await importOf(daemon, name, megabytes), /"status":"sha256:/),
  );
  await measure('save', async () =>
    t.ok((await read(daemon, `/images/get?names=${name}:1`)) > megabytes * megabyte),
  );
  await measure('push', async () =>
    t.match((await api.post(`/images/${name}/push?tag=1`)).text, /"Tag":"1"/),
  );
  await api.delete(`/images/${name}:1`);
  await measure('pull', async () => {
    const from = `/images/create?fromImage=${encodeURIComponent(name)}&tag=1`;
    t.match((await api.post(from)).text, /Downloaded newer image/);
  });
  await measure('load', async () => {
    const saved = await api.open(`/images/get?names=${name}:1`);
    const loaded = await api.post('/images/load?quiet=1', saved);
    t.match(loaded.text, /Loaded image/);
  });
  await api.delete(`/images/${name}:1`);
  return peaks;
}

test('memory stays flat, whatever the size of an image', { skip }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'tsdocker-memory-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const registry = await startRegistry({ directory });
  t.teardown(() => registry.stop());
  const daemon = await startDaemon(t);
  const place = { daemon, host: registry.host };
  const small = await transfer(t, place, sizes.small);
  const large = await transfer(t, place, sizes.large);
  for (const [what, bytes] of Object.entries(large)) {
    const growth = bytes - (small[what] ?? 0);
    t.ok(growth < maxGrowthBytes, `${what}: ${Math.round(growth / megabyte)} MB more`);
    t.comment(`${what}: ${Math.round(bytes / megabyte)} MB at most`);
  }
  t.same((await daemon.api.get('/images/json')).json, []);
});
