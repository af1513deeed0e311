/** A server over fakes, on a unix socket of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHttpServer, type HttpServer } from '../../daemon/http/server.js';
import { fakeServices, type Overrides } from './fakes.js';

/** What a test needs of tap's `t`. */
export interface Cleanup {
  teardown(undo: () => Promise<void>): void;
}

/** What is told of as unforeseen, in order. */
export type Bugs = unknown[];

/** A server that does not listen, for `app.inject`. */
export async function makeServer(
  t: Pick<Cleanup, 'teardown'>,
  overrides: Overrides = {},
  bugs: Bugs = [],
): Promise<HttpServer> {
  const server = await createHttpServer(fakeServices(overrides), {
    serverVersion: '28.0.0',
    allowedHosts: ['engine.example'],
    onBug: (error) => bugs.push(error),
  });
  t.teardown(() => server.close());
  return server;
}

/** A server on a unix socket; returns its path. */
export async function makeListening(
  t: Cleanup,
  overrides: Overrides = {},
  bugs: Bugs = [],
): Promise<string> {
  const server = await makeServer(t, overrides, bugs);
  // A path of its own: one below the project may be longer than a socket's may be.
  const folder = await mkdtemp(join(tmpdir(), 'tsdocker-api-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 's');
  const listener = server.makeServer({ tls: undefined });
  await new Promise<void>((resolve) => listener.listen(path, resolve));
  return path;
}

/** A raw connection with all that came so far as text. */
export interface Wire {
  readonly socket: Socket;
  readonly received: () => string;
  /** Resolves with all that came once it contains `text`; rejects after two seconds. */
  until(text: string): Promise<string>;
  /** Resolves with all that came once the server has ended. */
  ended(): Promise<string>;
}

const patienceMs = 2000;

/** Connects and writes `first`. */
export function dial(path: string, first: string): Wire {
  const socket = connect({ path, allowHalfOpen: true });
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
  // A reset is the end of the story: what came is looked at.
  socket.on('error', () => socket.destroy());
  socket.write(first);
  const wait = (done: () => boolean, wanted: string) =>
    new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`waited for ${wanted}, got ${JSON.stringify(text)}`));
      }, patienceMs);
      const look = () => {
        if (!done()) return;
        clearTimeout(timer);
        socket.off('data', look).off('end', look).off('close', look);
        resolve(text);
      };
      socket.on('data', look).on('end', look).on('close', look);
      look();
    });
  return {
    socket,
    received: () => text,
    until: (wanted) => wait(() => text.includes(wanted), wanted),
    ended: () => wait(() => socket.readableEnded || socket.destroyed, 'the end'),
  };
}
