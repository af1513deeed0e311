/**
 * The daemon's listening sockets: unix sockets with their owner and mode, sockets that systemd
 * passed, TCP with mutual TLS. What speaks on them is the caller's.
 */
import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:net';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import type { TlsOptions } from 'node:tls';
import type { DaemonConfig, ListenAddress } from './config/config.js';
import type { DaemonLog } from './daemon-log.js';

/** First descriptor that systemd passes. */
const firstPassedFd = 3;
const probeTimeoutMs = 1000;

/** A socket to be bound: `tls` is set for TCP, where every client shows a certificate. */
export interface Transport {
  readonly kind: ListenAddress['kind'];
  readonly tls: TlsOptions | undefined;
}

/** All listeners of the daemon. */
export interface Listeners {
  /** As `-H` names them. */
  readonly addresses: readonly string[];
  /** No new connections; resolves when the last one has ended. Idempotent. */
  close(): Promise<void>;
}

/** Where systemd's variables and the group file are read, replaced by tests. */
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
export function passedSockets(name: string | undefined, from: Surroundings = host): readonly number[] {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = from.environment;
  if (LISTEN_PID !== String(from.pid)) return [];
  const names = (LISTEN_FDNAMES ?? '').split(':');
  return Array.from({ length: Number(LISTEN_FDS ?? '0') }, (_, at) => at)
    .filter((at) => name === undefined || names[at] === name || String(firstPassedFd + at) === name)
    .map((at) => firstPassedFd + at);
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
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

/** Removes the socket of a daemon that is no more; refuses to touch a living one or another file. */
async function clearSocketPath(path: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  try {
    if (!lstatSync(path).isSocket()) throw new Error(`${path} exists and is not a socket`);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return;
    throw error;
  }
  if (await answers(path)) throw new Error(`${path} is in use: another daemon serves on it`);
  unlinkSync(path);
}

function begin(server: Server, start: (server: Server) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    start(server);
  });
}

function ownSocket(path: string, group: string, log: DaemonLog): void {
  const gid = groupId(group);
  if (gid === undefined) {
    // dockerd refuses a group that was asked for; a missing default group is no fault of the user's.
    log.warn({ path, group }, `there is no group ${group}: only root may use the socket`);
    return;
  }
  chownSync(path, 0, gid);
  chmodSync(path, 0o660);
}

async function listenUnix(server: Server, path: string, group: string, log: DaemonLog): Promise<void> {
  await clearSocketPath(path);
  await begin(server, () => {
    // The socket is bound inside listen(): from its first moment nobody but root may connect.
    const before = process.umask(0o177);
    server.listen({ path });
    process.umask(before);
  });
  ownSocket(path, group, log);
}

function tlsOptions(config: DaemonConfig): TlsOptions {
  if (config.tls === undefined) throw new Error('TCP without TLS was let through by the config');
  return {
    ca: readFileSync(config.tls.caPath),
    cert: readFileSync(config.tls.certPath),
    key: readFileSync(config.tls.keyPath),
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
  };
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    if (server.listening) server.close(() => resolve());
    else resolve();
  });
}

/**
 * Binds a server of `makeServer` to each address of the configuration; all or none. Throws with
 * the address and the reason. The caller ends the connections, `close` only the listening.
 */
export async function listenAll(
  config: DaemonConfig,
  makeServer: (transport: Transport) => Server,
  log: DaemonLog,
): Promise<Listeners> {
  const servers: Server[] = [];
  const addresses: string[] = [];
  const make = (transport: Transport): Server => {
    const server = makeServer(transport);
    servers.push(server);
    return server;
  };
  const close = async (): Promise<void> => {
    await Promise.all(servers.map(closeServer));
  };
  try {
    for (const address of config.hosts) {
      addresses.push(...(await listenOne(address, { config, make, log })));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { addresses, close };
}

interface ListenContext {
  readonly config: DaemonConfig;
  readonly make: (transport: Transport) => Server;
  readonly log: DaemonLog;
}

async function listenOne(address: ListenAddress, context: ListenContext): Promise<readonly string[]> {
  const { config, make, log } = context;
  const plain = { kind: address.kind, tls: undefined };
  switch (address.kind) {
    case 'unix':
      await listenUnix(make(plain), address.path, config.group, log);
      return [`unix://${address.path}`];
    case 'tcp': {
      const server = make({ kind: 'tcp', tls: tlsOptions(config) });
      await begin(server, () => server.listen({ host: address.host, port: address.port }));
      return [`tcp://${address.host}:${address.port}`];
    }
    case 'fd': {
      const fds = passedSockets(address.name);
      if (fds.length === 0) throw new Error('fd://: no sockets were passed by systemd');
      for (const fd of fds) await begin(make(plain), (server) => server.listen({ fd }));
      return fds.map((fd) => `fd://${fd}`);
    }
  }
}
