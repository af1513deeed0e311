/**
 * The daemon's listening sockets: unix sockets with their owner and mode, sockets that systemd
 * passed, TCP with mutual TLS. What speaks on them is the caller's.
 */
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import type { Server } from 'node:net';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import type { TlsOptions } from 'node:tls';
import type { DaemonConfig, ListenAddress, TlsFiles } from './config/config.js';
import { ConfigError } from './config/config-error.js';
import type { DaemonLog } from './daemon-log.js';

/** First descriptor that systemd passes. */
const firstPassedFd = 3;
const probeTimeoutMs = 1000;

/** How a server is bound: `tls` is set for TCP, where every client shows a certificate. */
export interface Transport {
  readonly kind: ListenAddress['kind'];
  readonly tls: TlsOptions | undefined;
}

/** All listeners of the daemon. */
export interface Listeners {
  /** As `-H` names them. */
  readonly addresses: readonly string[];
  /** No new connections from now on; those that are open are their server's. Idempotent. */
  close(): void;
}

/** Where systemd's variables and the groups are read; tests give others. */
export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  readonly groupFile: string;
}

const host: Surroundings = { environment: process.env, pid: process.pid, groupFile: '/etc/group' };

/** The gid of a group by name or number; undefined when there is none. */
export function groupId(name: string, groupFile = host.groupFile): number | undefined {
  for (const line of readFileSync(groupFile, 'utf8').split('\n')) {
    const [group, , gid] = line.split(':');
    if (gid !== undefined && (group === name || gid === name)) return Number(gid);
  }
  return undefined;
}

/** The descriptors that systemd passed to this process, all or those of one name. */
export function passedSockets(name: string | undefined, from = host): readonly number[] {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = from.environment;
  if (LISTEN_PID !== String(from.pid)) return [];
  const names = (LISTEN_FDNAMES ?? '').split(':');
  const isWanted = (at: number): boolean =>
    name === undefined || names[at] === name || String(firstPassedFd + at) === name;
  return Array.from({ length: Number(LISTEN_FDS ?? '0') }, (_, at) => at)
    .filter(isWanted)
    .map((at) => firstPassedFd + at);
}

interface Context {
  readonly config: DaemonConfig;
  readonly log: DaemonLog;
  readonly from: Surroundings;
  readonly make: (transport: Transport) => Server;
  /** Undone when one of the addresses fails, and at the end. */
  readonly undo: (() => void)[];
}

/** Whether somebody answers on the socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path, timeout: probeTimeoutMs });
    const say = (answer: boolean) => () => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', say(true)).once('error', say(false)).once('timeout', say(true));
  });
}

/** `what` is named when it cannot be. */
function begin(what: string, server: Server, start: (server: Server) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (cause: Error): void =>
      reject(new Error(`${what}: ${cause.message}`, { cause }));
    server.once('error', refuse);
    server.once('listening', () => {
      server.off('error', refuse);
      resolve();
    });
    start(server);
  });
}

function inodeOf(path: string): bigint | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

async function listenUnix(path: string, context: Context): Promise<readonly string[]> {
  const { config, log, from } = context;
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  const existing = lstatSync(path, { throwIfNoEntry: false });
  if (existing !== undefined && !existing.isSocket()) {
    throw new Error(`${path} exists and is not a socket`);
  }
  if (existing !== undefined && (await answers(path))) {
    throw new Error(`${path} is in use: another daemon serves on it`);
  }
  // Owner and mode are right before anybody can find it, and a stale socket is replaced in one go.
  const made = `${path}.new`;
  rmSync(made, { force: true });
  const server = context.make({ kind: 'unix', tls: undefined });
  context.undo.push(() => server.close());
  await begin(`unix://${path}`, server, () => server.listen({ path: made }));
  // Of an ordinary user's ids no group is the machine's.
  const gid = config.isRootless ? undefined : groupId(config.group, from.groupFile);
  if (gid === undefined && !config.isRootless) {
    log.warn({ path }, `there is no group ${config.group}: only root may use the socket`);
  }
  chmodSync(made, gid === undefined ? 0o600 : 0o660);
  if (gid !== undefined) chownSync(made, 0, gid);
  renameSync(made, path);
  const inode = inodeOf(path);
  context.undo.push(() => {
    // Unless another daemon has put its own in this place.
    if (inodeOf(path) === inode) rmSync(path, { force: true });
  });
  return [`unix://${path}`];
}

function readPem(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`invalid TLS configuration: ${what}: ${reason}`);
  }
}

/**
 * TLS in which the client proves itself as well; throws `ConfigError` when a file is unreadable.
 */
export function tlsOptions(files: TlsFiles): TlsOptions {
  return {
    ca: readPem(files.caPath, 'tlscacert'),
    cert: readPem(files.certPath, 'tlscert'),
    key: readPem(files.keyPath, 'tlskey'),
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
  };
}

async function listenTcp(
  address: Extract<ListenAddress, { kind: 'tcp' }>,
  { config, make, undo }: Context,
): Promise<readonly string[]> {
  if (config.tls === undefined) throw new ConfigError('tcp:// is served only with mutual TLS');
  const server = make({ kind: 'tcp', tls: tlsOptions(config.tls) });
  undo.push(() => server.close());
  const name = `tcp://${address.host}:${address.port}`;
  await begin(name, server, () => server.listen({ host: address.host, port: address.port }));
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port;
  return [`tcp://${address.host}:${port}`];
}

async function listenPassed(
  name: string | undefined,
  context: Context,
): Promise<readonly string[]> {
  const fds = passedSockets(name, context.from);
  if (fds.length === 0)
    throw new ConfigError(`fd://${name ?? ''}: no such socket was passed by systemd`);
  for (const fd of fds) {
    const server = context.make({ kind: 'fd', tls: undefined });
    context.undo.push(() => server.close());
    await begin(`fd://${fd}`, server, () => server.listen({ fd }));
    const bound = server.address();
    if (typeof bound === 'object' && bound !== null) {
      throw new ConfigError(`fd://${fd} is a TCP socket: TCP is served only with mutual TLS`);
    }
  }
  return fds.map((fd) => `fd://${fd}`);
}

function listenOne(address: ListenAddress, context: Context): Promise<readonly string[]> {
  switch (address.kind) {
    case 'unix':
      return listenUnix(address.path, context);
    case 'tcp':
      return listenTcp(address, context);
    case 'fd':
      return listenPassed(address.name, context);
  }
}

/**
 * Binds a server of `makeServer` to each address of the configuration; all or none. Throws with
 * the address and the reason. The caller ends the connections, `close` only the listening.
 */
export async function listenAll(
  config: DaemonConfig,
  makeServer: (transport: Transport) => Server,
  log: DaemonLog,
  from = host,
): Promise<Listeners> {
  const context: Context = { config, log, from, make: makeServer, undo: [] };
  const close = (): void => {
    for (const step of context.undo.splice(0)) step();
  };
  try {
    const addresses: string[] = [];
    for (const address of config.hosts) addresses.push(...(await listenOne(address, context)));
    return { addresses, close };
  } catch (error) {
    close();
    throw error;
  }
}
