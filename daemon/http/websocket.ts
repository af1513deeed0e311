/** A websocket as a byte stream: binary messages both ways, with back-pressure. */
import { Duplex } from 'node:stream';
import type { WebSocket } from '@fastify/websocket';

/** Messages in are bytes to read, bytes written are binary messages out; ends with the socket. */
export function bytesOf(socket: WebSocket): Duplex {
  const stream = new Duplex({
    read() {
      socket.resume();
    },
    write(chunk: Buffer, _encoding, done) {
      socket.send(chunk, { binary: true }, (error) => {
        done(error ?? null);
      });
    },
    final(done) {
      socket.close(1000);
      done();
    },
    destroy(error, done) {
      socket.terminate();
      done(error);
    },
  });
  socket.on('message', (message: Buffer | ArrayBuffer | Buffer[]) => {
    if (!stream.push(toBuffer(message))) socket.pause();
  });
  socket.once('close', () => {
    stream.push(null);
    stream.destroy();
  });
  socket.once('error', (error: Error) => {
    stream.destroy(error);
  });
  return stream;
}

function toBuffer(message: Buffer | ArrayBuffer | Buffer[]): Buffer {
  if (Array.isArray(message)) return Buffer.concat(message);
  return Buffer.isBuffer(message) ? message : Buffer.from(message);
}
