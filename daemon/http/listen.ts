/** Where connections come from: a unix socket, an inherited one, or TCP with mutual TLS only. */
import { chmod, chown, lstat, rename, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { limits } from './limits.js';

/** What to listen on. `mode` and `gid` are those of the socket file. */
export type ListenAddress =
  | { readonly kind: 'unix'; readonly path: string; readonly mode: number; readonly gid?: number }
  | { readonly kind: 'fd'; readonly fd: number }
  | {
      readonly kind: 'tcp';
      readonly host: string;
      readonly port: number;
      /** PEM; the client's certificate has to be signed by `ca`. */
      readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
    };

/** One open listener. */
export interface Listening {
  /** The path, or `host:port`. */
  readonly name: string;
  /** Takes no more connections; those that are open stay. */
  close(): Promise<void>;
}

type OnConnection = (socket: Socket) => void;

/** Listens; rejects with the reason when it cannot. */
export function listen(address: ListenAddress, onConnection: OnConnection): Promise<Listening> {
  switch (address.kind) {
    case 'unix':
      return listenUnix(address, onConnection);
    case 'fd':
      return listenFd(address.fd, onConnection);
    case 'tcp':
      return listenTcp(address, onConnection);
  }
}

/** Bytes in `sun_path`, without its final zero. Node cuts longer ones off without a word. */
const maxPathBytes = 107;

async function listenUnix(
  address: Extract<ListenAddress, { kind: 'unix' }>,
  onConnection: OnConnection,
): Promise<Listening> {
  const { path, mode, gid } = address;
  const temporary = `${path}.${String(process.pid)}`;
  if (Buffer.byteLength(temporary) > maxPathBytes) {
    throw new Error(`socket path is too long: ${path}`);
  }
  if (await answers(path)) throw new Error(`socket is in use by another process: ${path}`);
  await rm(temporary, { force: true });
  const server = makeServer(onConnection);
  await started(server, () => server.listen({ path: temporary }));
  // Mode and owner are right before anybody can find it, and a stale socket is replaced in one go.
  await chmod(temporary, mode);
  if (gid !== undefined) await chown(temporary, 0, gid);
  await rename(temporary, path);
  const { ino } = await lstat(path);
  return {
    name: path,
    close: async () => {
      await stopped(server);
      const now = await lstat(path).catch(() => undefined);
      if (now?.ino === ino) await rm(path, { force: true });
    },
  };
}

/** Whether somebody accepts connections there. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}

async function listenFd(fd: number, onConnection: OnConnection): Promise<Listening> {
  const server = makeServer(onConnection);
  await started(server, () => server.listen({ fd }));
  const address = server.address();
  if (address !== null && typeof address !== 'string') {
    await stopped(server);
    throw new Error(`fd ${String(fd)} is a TCP socket: TCP is only served with mutual TLS`);
  }
  return { name: `fd://${String(fd)}`, close: () => stopped(server) };
}

async function listenTcp(
  address: Extract<ListenAddress, { kind: 'tcp' }>,
  onConnection: OnConnection,
): Promise<Listening> {
  const { host, port, tls } = address;
  const server = createTlsServer(
    {
      ...tls,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      handshakeTimeout: limits.headersTimeoutMs,
    },
    onConnection,
  );
  server.maxConnections = limits.connections;
  // A handshake that fails is the peer's affair: it is told by TLS itself.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  await started(server, () => server.listen({ host, port }));
  const bound = server.address();
  const boundPort = bound !== null && typeof bound !== 'string' ? bound.port : port;
  return { name: `${host}:${String(boundPort)}`, close: () => stopped(server) };
}

function makeServer(onConnection: OnConnection): Server {
  const server = createServer({ allowHalfOpen: true }, onConnection);
  server.maxConnections = limits.connections;
  return server;
}

function started(server: Server, start: () => unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    start();
  });
}

/** Resolves at once: open connections are not waited for. */
function stopped(server: Server): Promise<void> {
  server.close();
  return Promise.resolve();
}
