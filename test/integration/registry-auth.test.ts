import { lookup } from 'node:dns/promises';
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { openImageWorld, type WorldOptions, type ImageWorld } from '../support/image-world.js';
import { basicUser, makeCertificate, startRegistry } from '../support/registry.js';
import { startTokenServer } from '../support/token-server.js';

async function folder(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tsdocker-auth-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function world(t: Test, options?: WorldOptions): Promise<ImageWorld> {
  const opened = await openImageWorld(options);
  t.teardown(() => opened.close());
  return opened;
}

const never = new AbortController().signal;
const unknown = { kind: 'NotFound', message: /not found: manifest unknown: manifest unknown$/ };

test('basic auth', async (t) => {
  const server = await startRegistry({ directory: await folder(t), basicAuth: true });
  t.teardown(() => server.stop());
  const { pull, images } = await world(t);
  const login = (password: string | undefined) =>
    images.auth(
      {
        username: 'alice',
        serveraddress: server.host,
        ...(password === undefined ? {} : { password }),
      },
      never,
    );

  await t.test('the right password gets in', async (t) => {
    await t.rejects(pull(`${server.host}/x:1`, { auth: basicUser }), unknown);
    t.same(await login('secret'), { Status: 'Login Succeeded', IdentityToken: '' });
  });
  await t.test('a wrong one does not', async (t) => {
    await t.rejects(pull(`${server.host}/x:1`, { auth: { username: 'alice', password: 'no' } }), {
      message: 'unauthorized: authentication required',
    });
    await t.rejects(login('no'), {
      message: `login attempt to http://${server.host}/v2/ failed with status: 401 Unauthorized`,
    });
  });
  await t.test('none is told apart', async (t) => {
    await t.rejects(login(undefined), {
      kind: 'System',
      message: `Get "http://${server.host}/v2/": no basic auth credentials`,
    });
  });
  await t.test("a server address that is none is the caller's mistake", async (t) => {
    await t.rejects(images.auth({ serveraddress: 'a b' }, never), {
      kind: 'InvalidParameter',
      message: /^unable to parse server address: parse "https:\/\/a b"/,
    });
  });
});

test('token auth', async (t) => {
  const directory = await folder(t);
  const files = await makeCertificate(directory);
  const tokens = await startTokenServer(files);
  t.teardown(() => tokens.stop());
  const { realm, service, issuer } = tokens;
  const server = await startRegistry({
    directory,
    tokenAuth: { realm, service, issuer, certificatePath: files.certificate },
  });
  t.teardown(() => server.stop());
  const { pull, images } = await world(t);

  await t.test("a token is fetched for the repository with the user's password", async (t) => {
    await t.rejects(pull(`${server.host}/x/y:1`, { auth: basicUser }), unknown);
    const { url, authorization } = tokens.seen.at(-1) ?? {};
    t.match(url, /scope=repository%3Ax%2Fy%3Apull/);
    t.match(url, /service=registry\.test/);
    t.match(authorization, /^Basic /);
  });
  await t.test('without a user access is denied, as Docker words it', async (t) => {
    await t.rejects(pull(`${server.host}/x/y:1`), {
      kind: 'NotFound',
      message:
        /^pull access denied for [\d.:]+\/x\/y, repository does not exist .*: denied: /,
    });
  });
  await t.test('a wrong password is refused by the token server', async (t) => {
    const auth = { username: 'alice', password: 'no', serveraddress: server.host };
    await t.rejects(images.auth(auth, never), {
      kind: 'Unauthorized',
      message: `Get "http://${server.host}/v2/": unauthorized: incorrect username or password`,
    });
  });
  await t.test(
    'a login gives a lasting token, which then serves instead of the password',
    async (t) => {
      const auth = { ...basicUser, serveraddress: server.host };
      const { IdentityToken } = await images.auth(auth, never);
      t.equal(IdentityToken, 'a-lasting-token');
      const identified = images.pull({
        image: `${server.host}/x/y`,
        tag: '1',
        platform: '',
        auth: { identitytoken: IdentityToken },
        sink: async () => undefined,
        signal: never,
      });
      await t.rejects(identified, unknown);
      t.match(tokens.seen.at(-1)?.body, /grant_type=refresh_token&refresh_token=a-lasting-token/);
    },
  );
});

test('TLS', async (t) => {
  const directory = await folder(t);
  const server = await startRegistry({ directory, tls: true });
  t.teardown(() => server.stop());
  const port = server.host.split(':')[1] ?? '';

  const name = 'tsdocker.localhost';
  const isKnown = await lookup(name).then(() => true, () => false);
  await t.test(
    'an unknown authority is refused, and plain HTTP is not tried instead',
    { skip: isKnown ? false : 'names below .localhost are not resolved here' },
    async (t) => {
      const { pull } = await world(t);
      await t.rejects(pull(`${name}:${port}/x:1`), { kind: 'System', message: /x509/ });
    },
  );
  await t.test('on loopback it is accepted as insecure', async (t) => {
    const { pull } = await world(t);
    await t.rejects(pull(`${server.host}/x:1`), unknown);
  });
  await t.test("an authority in the host's folder is trusted", async (t) => {
    const certificates = join(directory, 'certs.d');
    await mkdir(join(certificates, server.host), { recursive: true });
    await copyFile(server.authorityPath, join(certificates, server.host, 'ca.crt'));
    const { pull } = await world(t, { registry: { certificateDirectories: [certificates] } });
    await t.rejects(pull(`${server.host}/x:1`), unknown);
  });
  await t.test('a key without its certificate is an error that names it', async (t) => {
    const certificates = join(directory, 'bad.d');
    await mkdir(join(certificates, server.host), { recursive: true });
    await copyFile(server.authorityPath, join(certificates, server.host, 'client.key'));
    const { pull } = await world(t, { registry: { certificateDirectories: [certificates] } });
    await t.rejects(pull(`${server.host}/x:1`), {
      message: /missing client certificate client\.cert/,
    });
  });
});
