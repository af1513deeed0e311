import { createHash, randomBytes } from 'node:crypto';
import { test } from 'tap';
import { dial, makeListening } from './engine.js';
import { conversation } from './fakes.js';

const key = randomBytes(16).toString('base64');
const shake = (url: string, extra = '') =>
  `GET ${url} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n${extra}\r\n`;

/** A short text message as a client sends it: masked, here with zeros. */
const message = (text: string) =>
  Buffer.concat([Buffer.from([0x82, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);

test('attach by websocket speaks in binary messages, never in frames', async (t) => {
  const path = await makeListening(t, {
    containers: {
      attach: (_id, request) => {
        t.match(request, { framing: 'raw', stdin: true, stdout: false, stream: true });
        return Promise.resolve(
          conversation(async (client) => {
            client.write('hi');
            for await (const chunk of client.iterator({ destroyOnReturn: false })) {
              client.write(String(chunk).toUpperCase());
              return;
            }
          }),
        );
      },
    },
  });
  const wire = dial(path, shake('/v1.45/containers/c/attach/ws?stream=1&stdin=1'));
  const accept = createHash('sha1')
    .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64');
  const head = await wire.until('\x82\x02hi');
  t.match(head, /^HTTP\/1\.1 101 /);
  t.ok(head.includes(accept));
  wire.socket.write(message('abc'));
  await wire.until('\x82\x03ABC');
  // The closing handshake: 0x88, two bytes, 1000.
  t.match(await wire.until('\x88\x02\x03\xe8'), /ABC/);
  wire.socket.destroy();
});

test('before 1.42 a websocket has all three streams', async (t) => {
  const path = await makeListening(t, {
    containers: {
      attach: (_id, request) => {
        t.match(request, { stdin: true, stdout: true, stderr: true });
        return Promise.resolve(conversation(async (client) => void client.write('hi')));
      },
    },
  });
  const wire = dial(path, shake('/v1.41/containers/c/attach/ws?stream=1'));
  await wire.until('hi');
  wire.socket.destroy();
});

test('what refuses a websocket comes before its handshake', async (t) => {
  const path = await makeListening(t);
  const missing = dial(path, shake('/containers/nope/attach/ws'));
  t.match(await missing.until('No such container: nope'), /^HTTP\/1\.1 404 /);
  missing.socket.destroy();
  const foreign = dial(path, shake('/containers/c/attach/ws', 'Origin: https://evil.example\r\n'));
  t.match(await foreign.until('Origin not allowed'), /^HTTP\/1\.1 403 /);
  foreign.socket.destroy();
  const plain = dial(path, 'GET /containers/c/attach/ws HTTP/1.1\r\nHost: x\r\n\r\n');
  t.match(await plain.until('not websocket'), /^HTTP\/1\.1 400 /);
  plain.socket.destroy();
  const elsewhere = dial(path, shake('/_ping'));
  t.match(await elsewhere.until('OK'), /^HTTP\/1\.1 200 /);
  elsewhere.socket.destroy();
});
