/** Layers compressed for a registry: the same bytes come out, whatever library did it. */
import { createHash, randomBytes } from 'node:crypto';
import { chmod, open, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { gunzipSync } from 'node:zlib';
import { compressArchive, type CompressedArchive } from '../../native/unpack/index.js';
import { importTar } from '../support/import-tar.js';
import { scene } from '../support/registry-scene.js';
import { temporaryFolder } from '../support/skopeo.js';
import { tarOf } from '../support/tar.js';

const sha256 = (bytes: Buffer): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

async function compress(
  t: Test,
  plain: Buffer,
  signal = new AbortController().signal,
): Promise<{ readonly made: CompressedArchive; readonly bytes: Buffer }> {
  const folder = t.testdir({ plain });
  const to = await open(join(folder, 'gz'), 'w');
  try {
    const made = await compressArchive({ path: join(folder, 'plain') }, to.fd, { signal });
    return { made, bytes: await readFile(join(folder, 'gz')) };
  } finally {
    await to.close();
  }
}

const samples: Readonly<Record<string, Buffer>> = {
  nothing: Buffer.alloc(0),
  'one byte': Buffer.from('x'),
  'what does not shrink': randomBytes(3 * 2 ** 20 + 17),
  'what shrinks': Buffer.from('the same again and again\n'.repeat(300_000)),
  'a whole number of blocks': Buffer.alloc(2 * 2 ** 20, 'b'),
};

async function checkSamples(t: Test): Promise<void> {
  for (const [name, plain] of Object.entries(samples)) {
    await t.test(name, async (t) => {
      const { made, bytes } = await compress(t, plain);
      t.equal(made.digest, sha256(bytes));
      t.equal(made.sizeBytes, bytes.length);
      t.equal(made.plainDigest, sha256(plain));
      t.ok(gunzipSync(bytes).equals(plain));
      t.equal((await compress(t, plain)).made.digest, made.digest, 'as the last time');
    });
  }
}

function anyLibrary(): string {
  // As Node's documentation of the report has it.
  const { sharedObjects } = process.report.getReport() as { sharedObjects: readonly string[] };
  return sharedObjects.find((path) => path.includes('/libm.so')) ?? '/none';
}

test('what went in comes out', checkSamples);

test('without isa-l, too', async (t) => {
  const before = process.env['LD_LIBRARY_PATH'];
  t.teardown(() => {
    if (before === undefined) delete process.env['LD_LIBRARY_PATH'];
    else process.env['LD_LIBRARY_PATH'] = before;
  });
  const shrinks = samples['what shrinks'] ?? Buffer.alloc(0);
  const usual = await compress(t, shrinks);
  // Another library by that name is found first, and does not have the functions.
  const other = await temporaryFolder(t);
  await symlink(anyLibrary(), join(other, 'libisal.so.2'));
  process.env['LD_LIBRARY_PATH'] = other;
  await checkSamples(t);
  const zlib = await compress(t, shrinks);
  t.equal(zlib.bytes[9], 3, 'zlib says Unix in its header');
  if (usual.bytes[9] === 3) t.comment('isa-l is not installed here: zlib both times');
});

test('an abort ends it', async (t) => {
  const reason = new Error('enough');
  await t.rejects(compress(t, Buffer.alloc(2 ** 20), AbortSignal.abort(reason)), reason);
});

test('a layer that is not what its image says is not pushed', async (t) => {
  const { server, world } = await scene(t);
  const { images, content } = world;
  const name = `${server.host}/r:1`;
  await importTar(images, tarOf([{ name: 'file', content: 'right' }]), { repo: name, tag: '' });
  const [diffId = ''] = (await images.inspect(name)).RootFS.Layers ?? [];
  const path = content.path(diffId);
  const bytes = await readFile(path);
  bytes.write('wrong', bytes.indexOf('right'));
  await chmod(path, 0o600);
  await writeFile(path, bytes);
  const push = images.push({
    image: name,
    tag: '',
    platform: '',
    auth: {},
    sink: async () => undefined,
    signal: new AbortController().signal,
  });
  await t.rejects(push, { message: new RegExp(`layer ${diffId} is damaged`) });
  t.same(await world.leftovers(), []);
});
