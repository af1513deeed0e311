import { writeSync } from 'node:fs';
import { readdir, readFile, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import {
  digestOf,
  hexOf,
  isDigest,
  openContent,
  type ContentStore,
} from '../../../daemon/content/index.js';

const bytes = Buffer.from('some content');
const digest = digestOf(bytes);

async function open(t: Test): Promise<{ store: ContentStore; root: string }> {
  const root = t.testdir({});
  return { store: await openContent(root), root };
}

test('a blob is there when it is whole and right, and not before', async (t) => {
  const { store, root } = await open(t);
  const ingest = await store.ingest({ digest, sizeBytes: bytes.length });
  await ingest.write(bytes.subarray(0, 5));
  t.equal(await store.stat(digest), undefined);
  await ingest.write(bytes.subarray(5));
  t.same(await ingest.commit(), { digest, sizeBytes: bytes.length });
  t.same(await store.readAll(digest, 100), bytes);
  t.same(await readdir(join(root, 'tmp')), []);
  await store.delete(digest);
  await store.delete(digest);
  t.same(await store.digests(), []);
});

test('what another process wrote is there once it is committed', async (t) => {
  const { store, root } = await open(t);
  const draft = await store.draft();
  writeSync(draft.fd, bytes);
  t.equal(await store.stat(digest), undefined);
  await draft.commit(digest);
  await draft.abort();
  t.same(await store.readAll(digest, 100), bytes);
  const other = await store.draft();
  await other.abort();
  await other.abort();
  t.same(await readdir(join(root, 'tmp')), []);
});

test('other bytes than promised leave nothing', async (t) => {
  const { store, root } = await open(t);
  const wrong = await store.ingest({ digest, sizeBytes: bytes.length });
  await wrong.write(Buffer.from('same_length!'));
  await t.rejects(wrong.commit(), { name: 'ContentError', code: 'DIGEST' });
  const short = await store.ingest({ digest, sizeBytes: bytes.length });
  await short.write(bytes.subarray(1));
  await t.rejects(short.commit(), { code: 'SIZE' });
  const long = await store.ingest({ digest, sizeBytes: bytes.length });
  await t.rejects(long.write(Buffer.concat([bytes, bytes])), { code: 'SIZE' });
  await long.abort();
  t.same(await readdir(join(root, 'tmp')), []);
  t.same(await store.digests(), []);
});

test('a kept part is gone on with, and hashed again first', async (t) => {
  const { store } = await open(t);
  const first = await store.ingest({ digest, sizeBytes: bytes.length }, { resume: true });
  await first.write(bytes.subarray(0, 5));
  await first.keep();
  const second = await store.ingest({ digest, sizeBytes: bytes.length }, { resume: true });
  t.equal(second.storedBytes, 5);
  const replayed: Buffer[] = [];
  for await (const chunk of second.replay()) replayed.push(chunk);
  t.same(Buffer.concat(replayed), bytes.subarray(0, 5));
  await second.write(bytes.subarray(5));
  await second.commit();
  t.same(await store.readAll(digest, 100), bytes);
  await store.demote(digest);
  t.equal(await store.stat(digest), undefined);
  const third = await store.ingest({ digest, sizeBytes: bytes.length }, { resume: true });
  t.equal(third.storedBytes, bytes.length);
  await third.abort();
});

test('a start keeps partials for a day and nothing else', async (t) => {
  const { store, root } = await open(t);
  await (await store.ingest({ digest }, { resume: true })).keep();
  await (await store.ingest({})).keep();
  const now = Date.now();
  t.match(await store.sweep(now), [/^ingest-/]);
  t.same(await readdir(join(root, 'tmp')), [`partial-${hexOf(digest)}`]);
  const old = new Date(now - 25 * 3600 * 1000);
  await utimes(join(root, 'tmp', `partial-${hexOf(digest)}`), old, old);
  t.equal((await store.sweep(now)).length, 1);
});

test('nothing but a digest becomes a path', async (t) => {
  const { store } = await open(t);
  for (const name of [
    'sha256:../../etc/passwd',
    `sha256:${'A'.repeat(64)}`,
    'sha512:00',
    '',
    `${digest}\n`,
  ]) {
    t.notOk(isDigest(name));
    t.throws(() => store.path(name), { message: /^invalid digest/ });
  }
});

test('the folder is an OCI layout', async (t) => {
  const { store, root } = await open(t);
  await store.writeIndex([{ mediaType: 'x', digest, size: 1 }]);
  const read = async (name: string): Promise<unknown> =>
    JSON.parse(await readFile(join(root, 'image', name), 'utf8'));
  t.same(await read('oci-layout'), { imageLayoutVersion: '1.0.0' });
  t.match(await read('index.json'), { schemaVersion: 2, manifests: [{ digest }] });
});
