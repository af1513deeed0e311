/**
 * A real registry for tests: Debian's `docker-registry`, unpacked from its package into a cache
 * folder and run as a child on a loopback port. It is never installed as a service.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { request, Agent } from 'undici';
import { packageFolder } from './debian-package.js';

const run = promisify(execFile);

/** A running registry; the test stops it. */
export interface RegistryUnderTest {
  /** `127.0.0.1:4711` */
  readonly host: string;
  /** Where it keeps its blobs: to be broken by tests. */
  readonly dataDirectory: string;
  /** For TLS: the authority that signed its certificate, as a PEM file. */
  readonly authorityPath: string;
  stop(): Promise<void>;
}

/** How it is to run. */
export interface RegistryUnderTestOptions {
  /** Folder for its data and configuration; the caller removes it. */
  readonly directory: string;
  /** Wants `alice` with password `secret`. */
  readonly basicAuth?: boolean;
  /** Wants tokens from this realm, signed with the key of this certificate. */
  readonly tokenAuth?: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    readonly certificatePath: string;
  };
  readonly tls?: boolean;
  /** Where it listens; 127.0.0.1 by default. */
  readonly address?: string;
}

/** Who gets in. */
export const basicUser = { username: 'alice', password: 'secret' } as const;
/** `crypt("secret")`, bcrypt. */
const basicLine = 'alice:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a';

const startTimeoutMs = 15_000;

/** Starts one; resolves when it answers. */
export async function startRegistry(options: RegistryUnderTestOptions): Promise<RegistryUnderTest> {
  const program = join(await packageFolder('docker-registry'), 'usr/bin/docker-registry');
  const port = await freePort();
  const address = options.address ?? '127.0.0.1';
  const host = `${address}:${port}`;
  const dataDirectory = join(options.directory, 'registry-data');
  await mkdir(dataDirectory, { recursive: true });
  const tls = options.tls === true ? await makeCertificate(options.directory, address) : undefined;
  const config = join(options.directory, 'registry.json');
  await writeFile(join(options.directory, 'htpasswd'), `${basicLine}\n`);
  await writeFile(
    config,
    JSON.stringify({
      version: '0.1',
      log: { level: 'error' },
      storage: { filesystem: { rootdirectory: dataDirectory }, delete: { enabled: true } },
      http: {
        addr: host,
        ...(tls === undefined ? {} : { tls: { certificate: tls.certificate, key: tls.key } }),
      },
      ...authSection(options),
    }),
  );
  const child = spawn(program, ['serve', config], { stdio: 'ignore' });
  const base = `http${tls === undefined ? '' : 's'}://${host}/v2/`;
  try {
    await answering(base, child);
  } catch (error) {
    await stopChild(child);
    throw error;
  }
  return {
    host,
    dataDirectory,
    authorityPath: tls?.certificate ?? '',
    stop: () => stopChild(child),
  };
}

function authSection(options: RegistryUnderTestOptions): object {
  if (options.tokenAuth !== undefined) {
    const { realm, service, issuer, certificatePath } = options.tokenAuth;
    return { auth: { token: { realm, service, issuer, rootcertbundle: certificatePath } } };
  }
  if (options.basicAuth !== true) return {};
  return { auth: { htpasswd: { realm: 'test', path: join(options.directory, 'htpasswd') } } };
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

async function answering(url: string, child: ChildProcess): Promise<void> {
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
  const deadline = Date.now() + startTimeoutMs;
  try {
    for (;;) {
      if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}`);
      const status = await request(url, { dispatcher }).then(
        async ({ statusCode, body }) => {
          await body.dump();
          return statusCode;
        },
        () => 0,
      );
      if (status === 200 || status === 401) return;
      if (Date.now() > deadline) throw new Error('docker-registry did not start');
      await pause(30);
    }
  } finally {
    await dispatcher.close();
  }
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
  await ended;
  clearTimeout(timer);
}

/** A self-signed certificate for an address, and its key, by openssl. */
export async function makeCertificate(
  directory: string,
  address = '127.0.0.1',
): Promise<{ readonly certificate: string; readonly key: string }> {
  const certificate = join(directory, 'server.crt');
  const key = join(directory, 'server.key');
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-days', '2', '-subj', '/CN=test', '-addext', `subjectAltName=IP:${address},DNS:localhost`],
    ...['-keyout', key, '-out', certificate],
  ]);
  return { certificate, key };
}

/** The bytes of an image. */
export interface PushedImage {
  readonly config: Buffer;
  readonly layers: readonly Buffer[];
  readonly manifest: Buffer;
}

/** Puts an image into the registry by plain requests, as `docker push` would. */
export async function pushImage(
  host: string,
  path: string,
  image: PushedImage & { readonly tag: string },
): Promise<void> {
  for (const blob of [image.config, ...image.layers]) await pushBlob(host, path, blob);
  const parsed: unknown = JSON.parse(image.manifest.toString('utf8'));
  const { mediaType } = Object(parsed);
  const answer = await request(`http://${host}/v2/${path}/manifests/${image.tag}`, {
    method: 'PUT',
    headers: { 'content-type': String(mediaType) },
    body: image.manifest,
  });
  await expectCreated(answer);
}

async function pushBlob(host: string, path: string, blob: Buffer): Promise<void> {
  const start = await request(`http://${host}/v2/${path}/blobs/uploads/`, { method: 'POST' });
  await start.body.dump();
  const location = new URL(String(start.headers['location']), `http://${host}`);
  const digest = `sha256:${createHash('sha256').update(blob).digest('hex')}`;
  location.searchParams.set('digest', digest);
  await expectCreated(await request(location, { method: 'PUT', body: blob }));
}

async function expectCreated(answer: Awaited<ReturnType<typeof request>>): Promise<void> {
  const text = await answer.body.text();
  if (answer.statusCode !== 201) throw new Error(`push: ${answer.statusCode} ${text}`);
}
