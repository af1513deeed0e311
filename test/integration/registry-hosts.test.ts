/** `certs.d/HOST/hosts.toml`, with registries that answer. */
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { buildImage } from '../support/image-builder.js';
import { openImageWorld, type ImageWorld } from '../support/image-world.js';
import { startLyingRegistry, type LyingRegistry } from '../support/lying-registry.js';
import { ownAddress } from '../support/own-address.js';
import { startRegistry } from '../support/registry.js';
import { tarOf } from '../support/tar.js';

const image = buildImage([tarOf([{ name: 'file', content: 'content' }])]);
const needsRoot = { skip: process.geteuid?.() === 0 ? false : 'addresses need root' };
const auth = { username: 'a', password: 'b' };

async function directory(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'tsdocker-hosts-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function registry(t: Test): Promise<LyingRegistry> {
  const server = await startLyingRegistry();
  t.teardown(() => server.stop());
  return server;
}

/** A world that finds this `hosts.toml` for `name`. */
async function world(t: Test, name: string, text: string): Promise<ImageWorld> {
  const certificates = await directory(t);
  await mkdir(join(certificates, name));
  await writeFile(join(certificates, name, 'hosts.toml'), text);
  const opened = await openImageWorld({ registry: { certificateDirectories: [certificates] } });
  t.teardown(() => opened.close());
  return opened;
}

const kindsOf = ({ seen }: LyingRegistry): string[] =>
  seen.map(({ path }) =>
    /\/manifests\/sha256/.test(path) ? 'digest' : (path.split('/').at(-2) ?? ''),
  );

test('each server is asked for what it may be asked', async (t) => {
  const mirror = await registry(t);
  const upstream = await registry(t);
  mirror.serve('r', '1', image);
  upstream.serve('r', '1', image);
  const { pull, images } = await world(
    t,
    'registry.example.com',
    `
    server = "http://${upstream.host}"
    [host."http://${mirror.host}"]
      capabilities = ["pull"]
      [host."http://${mirror.host}".header]
        x-cache-key = "k"
    `,
  );
  let key: unknown;
  mirror.fault = (request) => {
    key = request.headers['x-cache-key'];
    return false;
  };
  await pull('registry.example.com/r:1', { auth });
  t.equal(images.resolve('registry.example.com/r:1').id, image.id);
  t.same(kindsOf(upstream), ['manifests'], 'only the tag');
  t.same(new Set(kindsOf(mirror)), new Set(['blobs']));
  t.ok(mirror.seen.every(({ path }) => path.endsWith('?ns=registry.example.com')));
  t.equal(key, 'k');
});

test('a server that fails is passed over, and never sees the credentials of another', async (t) => {
  const mirror = await registry(t);
  const upstream = await registry(t);
  upstream.serve('r', '1', image);
  const challenge: LyingRegistry['fault'] = (request, response) => {
    if (request.headers.authorization !== undefined) return false;
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    return true;
  };
  mirror.fault = challenge;
  upstream.fault = challenge;
  const { pull } = await world(
    t,
    '_default',
    `server = "http://${upstream.host}"\n[host."http://${mirror.host}"]\n`,
  );
  await pull('registry.example.com/r:1', { auth });
  t.ok(mirror.seen.length > 0);
  t.ok(mirror.seen.every(({ authorization }) => authorization === undefined));
  t.ok(upstream.seen.some(({ authorization }) => authorization === 'Basic YTpi'));
});

test('headers of a server do not follow a redirect to another', async (t) => {
  const upstream = await registry(t);
  const other = await registry(t);
  upstream.serve('r', '1', image);
  other.serve('r', '1', image);
  let leaked: unknown;
  other.fault = (request) => {
    leaked ??= request.headers['x-secret'];
    return false;
  };
  upstream.fault = (request, response) => {
    if (!(request.url ?? '').includes('/blobs/')) return false;
    response.writeHead(307, { location: `http://${other.host}${request.url}` }).end();
    return true;
  };
  const { pull } = await world(
    t,
    'registry.example.com',
    `server = "http://${upstream.host}"\n[header]\nx-secret = "s"\n`,
  );
  await pull('registry.example.com/r:1');
  t.ok(other.seen.length > 0);
  t.equal(leaked, undefined);
});

test('a push goes to the first server that takes one', async (t) => {
  const mirror = await registry(t);
  const { pull, images } = await world(
    t,
    'registry.example.com',
    `
    server = "http://${mirror.host}"
    capabilities = ["pull", "resolve"]
    `,
  );
  mirror.serve('r', '1', image);
  await pull('registry.example.com/r:1');
  const signal = new AbortController().signal;
  const pushing = images.push({
    image: 'registry.example.com/r',
    tag: '1',
    auth: {},
    sink: async () => undefined,
    signal,
  });
  await t.rejects(pushing, { message: 'no configured host of registry.example.com takes a push' });
});

test('TLS of a server is what its table says', needsRoot, async (t) => {
  // Loopback is trusted anyway: the registry gets an address that is not.
  const address = await ownAddress(t);
  const folder = await directory(t);
  const server = await startRegistry({ directory: folder, tls: true, address });
  t.teardown(() => server.stop());
  const known = { message: /not found: manifest unknown/ };
  const unknown = { message: /x509: certificate signed by unknown authority/ };
  const reference = 'registry.example.com/x:1';
  for (const [what, line, outcome] of [
    ['an authority', `ca = "${server.authorityPath}"`, known],
    ['no verification', 'skip_verify = true', known],
    ['nothing', '', unknown],
  ] as const) {
    await t.test(what, async (t) => {
      const text = `server = "https://${server.host}"\n${line}\n`;
      const { pull } = await world(t, 'registry.example.com', text);
      await t.rejects(pull(reference), outcome);
    });
  }
  await t.test("a certificate of the client's, beside it", async (t) => {
    const text = `server = "https://${server.host}"\nca = "a.crt"\nclient = [["a.crt", "a.key"]]\n`;
    const certificates = await directory(t);
    const own = join(certificates, 'registry.example.com');
    await mkdir(own);
    await copyFile(server.authorityPath, join(own, 'a.crt'));
    await copyFile(join(folder, 'server.key'), join(own, 'a.key'));
    await writeFile(join(own, 'hosts.toml'), text);
    const opened = await openImageWorld({ registry: { certificateDirectories: [certificates] } });
    t.teardown(() => opened.close());
    await t.rejects(opened.pull(reference), known);
  });
});

test('a file that cannot be read is named, and nothing is asked', async (t) => {
  const { pull } = await world(t, 'registry.example.com', 'capabilities = ["fly"]');
  await t.rejects(pull('registry.example.com/x:1'), {
    message: /invalid .*registry\.example\.com\/hosts\.toml: unknown capability "fly"/,
  });
});
