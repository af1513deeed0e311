/** Logins and tokens as clients see them: through the daemon's socket, at a real registry. */
import { createServer, type Server } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import type { AuthConfig } from '../../api-spec/index.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { buildImage, digest } from '../support/image-builder.js';
import { ownAddress } from '../support/own-address.js';
import { indexEntry, layerOf, scene } from '../support/registry-scene.js';
import { basicUser, freePort, makeCertificate, startRegistry } from '../support/registry.js';
import { tarOf } from '../support/tar.js';
import { startTokenServer, type TokenServer } from '../support/token-server.js';

const isRoot = process.geteuid?.() === 0;
const needsRoot = { skip: isRoot ? false : 'daemons and addresses need root' };

type Alphabet = 'base64' | 'base64url';

function headerOf(auth: AuthConfig, alphabet: Alphabet = 'base64url'): Record<string, string> {
  return { 'X-Registry-Auth': Buffer.from(JSON.stringify(auth)).toString(alphabet) };
}

async function push(
  { api }: TestDaemon,
  name: string,
  headers: Readonly<Record<string, string>>,
): Promise<string> {
  return (await api.post(`/images/${name}/push?tag=1`, undefined, { headers })).text;
}

async function pull(
  { api }: TestDaemon,
  name: string,
  headers: Readonly<Record<string, string>>,
): Promise<string> {
  const path = `/images/create?fromImage=${encodeURIComponent(name)}&tag=1`;
  return (await api.post(path, undefined, { headers })).text;
}

interface Place {
  readonly daemon: TestDaemon;
  readonly tokens: TokenServer;
  readonly host: string;
}

async function place(t: Test): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), 'tsdocker-tokens-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const files = await makeCertificate(directory);
  const tokens = await startTokenServer(files);
  t.teardown(() => tokens.stop());
  const { realm, service, issuer } = tokens;
  const tokenAuth = { realm, service, issuer, certificatePath: files.certificate };
  const registry = await startRegistry({ directory, tokenAuth });
  t.teardown(() => registry.stop());
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  return { daemon, tokens, host: registry.host };
}

test('POST /auth gives an identity token, which then does for the password', needsRoot, async (t) => {
  const { daemon, tokens, host } = await place(t);
  const name = `${host}/team/app`;
  await daemon.api.post(`/images/tsdocker-demo/tag?repo=${encodeURIComponent(name)}&tag=1`);
  const wrong = { ...basicUser, password: 'no', serveraddress: host };
  t.equal((await daemon.api.post('/auth', wrong)).status, 401);
  const { status, json } = await daemon.api.post('/auth', { ...basicUser, serveraddress: host });
  t.equal(status, 200);
  t.match(json, { Status: 'Login Succeeded', IdentityToken: 'a-lasting-token' });

  t.match(await push(daemon, name, {}), /denied|no basic auth/, 'without it nothing goes');
  tokens.seen.length = 0;
  const identity = { identitytoken: String(json.IdentityToken), serveraddress: host };
  t.match(await push(daemon, name, headerOf(identity)), /"Tag":"1"/);
  const { body, authorization } = tokens.seen[0] ?? {};
  t.equal(authorization, undefined, 'no password went anywhere');
  const form = new URLSearchParams(body);
  t.match(Object.fromEntries(form), {
    grant_type: 'refresh_token',
    refresh_token: 'a-lasting-token',
    service: tokens.service,
    scope: 'repository:team/app:pull,push',
  });
  await daemon.api.delete(`/images/${name}:1`);
  t.match(await pull(daemon, name, headerOf(identity)), /Status: Downloaded newer image/);
});

test('credentials of one request serve it alone, in either alphabet', needsRoot, async (t) => {
  const { daemon, host } = await place(t);
  const name = `${host}/team/app`;
  await daemon.api.post(`/images/tsdocker-demo/tag?repo=${encodeURIComponent(name)}&tag=1`);
  // So that both alphabets differ.
  const auth = { ...basicUser, email: '~~~???>>>' };
  const both = (['base64', 'base64url'] as const).map((alphabet) => headerOf(auth, alphabet));
  const [plain = {}, url = {}] = both;
  t.match(plain['X-Registry-Auth'], /[+/]/);
  t.match(url['X-Registry-Auth'], /[-_]/);
  for (const headers of both) {
    t.match(await push(daemon, name, headers), /"Tag":"1"/);
    t.notMatch(await push(daemon, name, {}), /"Tag":"1"/, 'nothing of it stays');
  }
});

const image = buildImage([
  tarOf([{ name: 'one', content: 'one' }]),
  tarOf([{ name: 'two', content: 'two' }]),
]);

test('a token that ends in the middle of a pull is asked for again', async (t) => {
  const { server, world } = await scene(t);
  server.serve('r', '1', image);
  const given: string[] = [];
  server.fault = (request, response) => {
    if ((request.url ?? '').startsWith('/token')) {
      given.push(`token-${given.length}`);
      response.end(JSON.stringify({ token: given.at(-1) }));
      return true;
    }
    const isBlob = (request.url ?? '').includes('/blobs/');
    // The first token is good for the manifest alone.
    const isGood = request.headers.authorization === `Bearer ${given.at(-1) ?? ''}`;
    if (isGood && !(isBlob && given.length < 2)) return false;
    const realm = `http://${server.host}/token`;
    response.setHeader('www-authenticate', `Bearer realm="${realm}",service="x"`);
    response.writeHead(401).end();
    return true;
  };
  await world.pull(`${server.host}/r:1`);
  t.equal(given.length, 2);
});

test('a registry that fails for a while is asked again, ever later', async (t) => {
  const { server, world } = await scene(t);
  server.serve('r', '1', image);
  const blob = digest(layerOf(image));
  const failures = [503, 502, 500];
  const askedAtMs: number[] = [];
  server.fault = (request, response) => {
    if (!(request.url ?? '').endsWith(blob)) return false;
    askedAtMs.push(Date.now());
    const status = failures.shift();
    if (status === undefined) return false;
    response.writeHead(status).end('not now');
    return true;
  };
  const lines = await world.pull(`${server.host}/r:1`);
  t.ok(lines.some(({ status }) => /^Retrying in \d+ second/.test(status ?? '')));
  t.equal(askedAtMs.length, 4);
  const pauses = askedAtMs.slice(1).map((at, index) => at - (askedAtMs[index] ?? 0));
  t.ok(pauses.every((pause, index) => pause >= 450 * 2 ** index), pauses.join(' '));
});

test('distribution tells the platforms of an index', async (t) => {
  const { server, world } = await scene(t);
  const mediaType = 'application/vnd.docker.distribution.manifest.list.v2+json';
  const platforms = [
    { os: 'linux', architecture: 'amd64' },
    { os: 'linux', architecture: 'arm', variant: 'v7' },
  ];
  const manifests = platforms.map((platform) => indexEntry(image, platform));
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
  server.manifests.set('r:1', { bytes, mediaType });
  t.same(await world.images.distribution(`${server.host}/r:1`, {}), {
    Descriptor: { mediaType, digest: digest(bytes), size: bytes.length },
    Platforms: platforms,
  });
});

test('CVE-2014-5277: no registry is asked without TLS unless it is listed', needsRoot, async (t) => {
  const address = await ownAddress(t);
  const port = await freePort();
  const asked: string[] = [];
  const plain: Server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end('{}');
  });
  await new Promise<void>((resolve) => plain.listen(port, address, resolve));
  t.teardown(() => plain.close());
  const { world } = await scene(t);
  const auth = { username: 'alice', password: 'secret' };
  await t.rejects(world.pull(`${address}:${port}/r:1`, { auth }), {
    message: /http: server gave HTTP response to HTTPS client/,
  });
  await t.rejects(
    world.images.auth({ ...auth, serveraddress: `http://${address}:${port}` }, never),
  );
  t.same(asked, [], 'no request came, and no password with it');

  const listed = await scene(t, { registry: { insecureRegistries: [`${address}/32`] } });
  await t.rejects(listed.world.pull(`${address}:${port}/r:1`, { auth }));
  t.ok(asked.length > 0, 'a listed one is asked');
});

const never = new AbortController().signal;
