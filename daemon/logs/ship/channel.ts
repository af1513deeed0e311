/** Where messages go, whatever they say. */
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:net';

const connectTimeoutMs = 10_000;

/** Somebody on a network. */
export interface NetworkAddress {
  readonly host: string;
  readonly port: number;
}

/** Takes messages one after the other, as datagrams or as they are in a stream. */
export interface Channel {
  /** Resolves when all have left. */
  send(messages: readonly Buffer[]): Promise<void>;
  close(): void;
}

/** Each message is a datagram. */
export function udpChannel({ host, port }: NetworkAddress): Channel {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  // A port that nobody listens on is no error of UDP's: what was sent is gone, as it always may be.
  socket.on('error', () => undefined);
  const sendOne = (message: Buffer): Promise<void> =>
    new Promise((resolve, reject) => {
      socket.send(message, port, host, (error) => (error === null ? resolve() : reject(error)));
    });
  return {
    send: async (messages) => {
      for (const message of messages) await sendOne(message);
    },
    close: () => socket.close(),
  };
}

/** A connection; rejects when there is none within ten seconds. `ready` is the event that tells. */
export async function streamChannel(
  dial: () => Socket,
  signal: AbortSignal,
  ready = 'connect',
): Promise<Channel> {
  const socket = dial();
  const state: { failure: Error | undefined } = { failure: undefined };
  socket.on('error', (error) => (state.failure = error));
  // A server that hangs up has nothing to say first.
  socket.on('end', () => socket.destroy(new Error('the receiver has hung up'))).resume();
  await connected(socket, ready, signal);
  socket.setNoDelay(true);
  return {
    send: (messages) =>
      new Promise((resolve, reject) => {
        if (state.failure !== undefined || socket.destroyed) {
          reject(state.failure ?? new Error('the receiver has hung up'));
          return;
        }
        socket.write(Buffer.concat(messages), (error) => (error ? reject(error) : resolve()));
      }),
    close: () => socket.destroy(),
  };
}

function connected(socket: Socket, ready: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (error?: Error): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      if (error === undefined) resolve();
      else {
        socket.destroy();
        reject(error);
      }
    };
    const onAbort = (): void => finish(new Error('given up'));
    const timer = setTimeout(() => finish(new Error('no connection in time')), connectTimeoutMs);
    signal.addEventListener('abort', onAbort);
    socket.once(ready, () => finish()).once('error', (error) => finish(error));
  });
}
