/**
 * Images as users make them: a Debian by debootstrap, and on it nginx, redis, postgres, python and
 * node by apt in a Dockerfile (`test/compat/services/`). Built by one daemon, pushed to a real
 * registry with TLS and a password, pulled and run by another. Where REFERENCE_DOCKER_HOST names an
 * engine, it builds the same, and files and config are compared.
 */
import { randomBytes } from 'node:crypto';
import { copyFile, cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { test, type Test } from 'tap';
import { request } from 'undici';
import { filesOf, type ImageFile } from '../../support/builds.js';
import { startDaemon } from '../../support/daemon.js';
import { lacking, packageCache } from '../../support/debian-package.js';
import { docker, dockerProgram } from '../../support/docker-cli.js';
import { engineApi } from '../../support/engine-api.js';
import { serveMirror } from '../../support/mirror.js';
import { ownAddress } from '../../support/own-address.js';
import { basicUser, startRegistry } from '../../support/registry.js';

const sources = fileURLToPath(new URL('../../../../test/compat/services', import.meta.url));
const debian = join(packageCache, 'debian');
const reference = process.env['REFERENCE_DOCKER_HOST'];
const startMs = 20_000;
const isRoot = process.geteuid?.() === 0;
const skip = isRoot
  ? lacking('debian', 'docker-registry') || (dockerProgram() === undefined && 'no docker client')
  : 'owners and addresses need root';

/** One engine with a client that has logged in. */
interface Place {
  readonly socket: string;
  /** The standard output of a command that has to succeed. */
  readonly run: (...args: readonly string[]) => Promise<string>;
  /** What a container has said, on both of its streams. */
  readonly logs: (id: string) => Promise<string>;
}

function placeOf(host: string, configFolder: string): Place {
  const environment = { DOCKER_CONFIG: configFolder, DOCKER_BUILDKIT: '0' };
  return {
    socket: host.replace(/^unix:\/\//, ''),
    run: async (...args) => {
      const { code, stdout, stderr } = await docker(host, args, { environment });
      if (code !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}\n${stdout}`);
      return stdout.trim();
    },
    logs: async (id) => {
      const { stdout, stderr } = await docker(host, ['logs', id]);
      return stdout + stderr;
    },
  };
}

async function scratch(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tsdocker-services-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The Debian that all others are made from, under this name. */
async function buildBase(t: Test, { run }: Place, name: string): Promise<void> {
  const context = join(await scratch(t), 'base');
  await cp(join(sources, 'base'), context, { recursive: true });
  await copyFile(join(debian, 'root.tar'), join(context, 'root.tar'));
  await run('build', '-q', '-t', name, context);
}

interface Wish {
  readonly base: string;
  readonly service: string;
  readonly name: string;
  readonly proxy: string;
}

async function build({ run }: Place, { base, service, name, proxy }: Wish): Promise<void> {
  const args = ['--build-arg', `BASE=${base}`, '--build-arg', `http_proxy=${proxy}`];
  await run('build', '-q', '--network', 'host', ...args, '-t', name, join(sources, service));
}

/** Starts a container, hands its address to `use` until that succeeds, and removes it. */
async function running(
  { run, logs }: Place,
  image: string,
  use: (address: string, id: string) => Promise<string>,
): Promise<string> {
  const id = await run('run', '-d', image);
  try {
    const format = '{{.NetworkSettings.IPAddress}}';
    const address = await run('inspect', '--format', format, id);
    const failed = async (error: unknown): Promise<undefined> => {
      if (Date.now() > deadline) throw new Error(await logs(id), { cause: error });
    };
    const deadline = Date.now() + startMs;
    for (;; await pause(100)) {
      const said = await use(address, id).catch(failed);
      if (said !== undefined) return said;
    }
  } finally {
    await run('rm', '-f', '-v', id);
  }
}

async function webPage(address: string): Promise<string> {
  const { body } = await request(`http://${address}/`);
  return body.text();
}

function redisAnswer(address: string): Promise<string> {
  const socket = connect(6379, address);
  socket.write('PING\r\nQUIT\r\n');
  return text(socket);
}

/** What each does once it was pulled. */
const services: Readonly<
  Record<string, (place: Place, image: string) => Promise<readonly [string, string | RegExp]>>
> = {
  nginx: async (place, image) => [await running(place, image, webPage), /Welcome to nginx/],
  redis: async (place, image) => [await running(place, image, redisAnswer), /^\+PONG/],
  postgres: async (place, image) => {
    const query = (_address: string, id: string): Promise<string> =>
      place.run('exec', id, 'psql', '-h', '127.0.0.1', '-tAc', 'SELECT 6 * 7');
    return [await running(place, image, query), '42'];
  },
  python: async ({ run }, image) => [await run('run', '--rm', image, '-c', 'print(6 * 7)'), '42'],
  node: async ({ run }, image) => [await run('run', '--rm', image, '-p', '6 * 7'), '42'],
};

/** By ADD and COPY. */
const baseLayers = 2;

interface Made {
  readonly files: ReadonlyMap<string, ImageFile>;
  readonly config: Readonly<Record<string, unknown>>;
}

async function madeOf({ socket }: Place, image: string, base?: Made): Promise<Made> {
  const { json } = await engineApi(socket).get(`/images/${image}/json`);
  const { Config: config } = json as { Config: Record<string, unknown> };
  const known = base === undefined ? undefined : { count: baseLayers, files: base.files };
  // The state before, by its digest.
  return { files: await filesOf(socket, image, known), config: { ...config, Image: '' } };
}

/** What differs, each file in one line. */
function differences(ours: Made, theirs: Made): readonly string[] {
  const paths = [...new Set([...ours.files.keys(), ...theirs.files.keys()])].sort();
  const shown = ({ files }: Made, path: string): string =>
    JSON.stringify(files.get(path) ?? 'none').slice(0, 300);
  return paths
    .map((path) => [path, shown(ours, path), shown(theirs, path)])
    .filter(([, one, other]) => one !== other)
    .map(([path, one, other]) => `${path}: ${one} / ${other}`);
}

/** A registry with TLS and a password, which this machine trusts meanwhile. */
async function trustedRegistry(t: Test, directory: string): Promise<string> {
  const address = await ownAddress(t);
  const registry = await startRegistry({ directory, tls: true, basicAuth: true, address });
  t.teardown(() => registry.stop());
  const certificates = join('/etc/tsdocker/certs.d', registry.host);
  await mkdir(certificates, { recursive: true });
  t.teardown(() => rm(certificates, { recursive: true, force: true }));
  await copyFile(registry.authorityPath, join(certificates, 'ca.crt'));
  return registry.host;
}

test('services made of Debian packages', { skip }, async (t) => {
  const directory = await scratch(t);
  const host = await trustedRegistry(t, directory);
  const builder = placeOf(`unix://${(await startDaemon(t)).socket}`, directory);
  const runner = placeOf(`unix://${(await startDaemon(t)).socket}`, directory);
  const mirror = await serveMirror(join(debian, 'mirror'), []);
  t.teardown(() => mirror.stop());
  await builder.run('login', '-u', basicUser.username, '-p', basicUser.password, host);
  const base = `${host}/debian`;
  await buildBase(t, builder, base);

  for (const [service, use] of Object.entries(services)) {
    await t.test(`${service} is built, pushed, pulled and run`, async (t) => {
      const name = `${host}/${service}:1`;
      await build(builder, { base, service, name, proxy: mirror.proxy });
      await builder.run('push', '-q', name);
      await runner.run('pull', '-q', name);
      const [said, wanted] = await use(runner, name);
      t.match(said, wanted);
    });
  }

  const without = reference === undefined && 'REFERENCE_DOCKER_HOST is not set';
  await t.test('the reference makes the same files and config', { skip: without }, async (t) => {
    const netns = process.env['REFERENCE_NETNS'];
    const enter = netns === undefined ? [] : ['nsenter', `--net=/run/netns/${netns}`];
    const theirs = placeOf(String(reference), directory);
    const itsMirror = await serveMirror(join(debian, 'mirror'), enter);
    t.teardown(() => itsMirror.stop());
    const tag = `services-${randomBytes(4).toString('hex')}`;
    const itsBase = `${tag}-debian`;
    t.teardown(() => theirs.run('image', 'rm', '-f', itsBase));
    await buildBase(t, theirs, itsBase);
    const ofBase = [await madeOf(builder, base), await madeOf(theirs, itsBase)] as const;
    t.same(differences(...ofBase), [], 'debian');
    t.same(ofBase[0].config, ofBase[1].config);
    for (const service of Object.keys(services)) {
      const name = `${tag}-${service}`;
      t.teardown(() => theirs.run('image', 'rm', '-f', name));
      await build(theirs, { base: itsBase, service, name, proxy: itsMirror.proxy });
      const both = [
        await madeOf(builder, `${host}/${service}:1`, ofBase[0]),
        await madeOf(theirs, name, ofBase[1]),
      ] as const;
      t.same(differences(...both), [], service);
      t.same(both[0].config, both[1].config, service);
    }
  });
});
