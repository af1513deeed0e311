import { test } from 'tap';
import { notFound } from '../../api-spec/errors.js';
import type { TimedEvent } from '../../daemon/http/needs.js';
import { dial, makeListening, makeServer } from './engine.js';

const get = (url: string) => `GET ${url} HTTP/1.1\r\nHost: x\r\n\r\n`;
const post = (url: string) => `POST ${url} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`;
const never = () =>
  new Promise<never>(() => {
    // Pending for as long as the test runs.
  });

test('progress is one object a line, in chunks', async (t) => {
  const path = await makeListening(t, {
    images: {
      pull: async ({ sink, image, auth }) => {
        await sink({ status: `Pulling from ${image}`, id: auth.username ?? '' });
        await sink({ status: 'Pull complete' });
      },
    },
  });
  const auth = Buffer.from('{"username":"ann"}').toString('base64');
  const wire = dial(
    path,
    'POST /images/create?fromImage=a&tag=b HTTP/1.1\r\nHost: x\r\n' +
      `X-Registry-Auth: ${auth}\r\nContent-Length: 0\r\n\r\n`,
  );
  const text = await wire.until('\r\n0\r\n\r\n');
  wire.socket.destroy();
  t.match(text, /^HTTP\/1\.1 200 .*Content-Type: application\/json\r\n.*chunked/s);
  t.match(text, '{"status":"Pulling from a","id":"ann"}\r\n');
  t.match(text, '{"status":"Pull complete"}\r\n');
});

test('a pull that fails before its first line has a status', async (t) => {
  const { app } = await makeServer(t, {
    images: { pull: () => Promise.reject(notFound('pull access denied for a')) },
  });
  const response = await app.inject({ method: 'POST', url: '/images/create?fromImage=a' });
  t.equal(response.statusCode, 404);
  t.same(response.json(), { message: 'pull access denied for a' });
});

test('a pull that fails later says so in its last line', async (t) => {
  const { app } = await makeServer(t, {
    images: {
      pull: async ({ sink }) => {
        await sink({ status: 'Pulling' });
        throw new Error('broken');
      },
    },
  });
  const response = await app.inject({ method: 'POST', url: '/images/create?fromImage=a' });
  t.equal(response.statusCode, 200);
  t.equal(
    response.body,
    '{"status":"Pulling"}\r\n{"errorDetail":{"message":"broken"},"error":"broken"}\r\n',
  );
});

test('a pull hears that its client has gone', async (t) => {
  let hear: () => void = () => undefined;
  const heard = new Promise<void>((resolve) => (hear = resolve));
  const path = await makeListening(t, {
    images: {
      pull: async ({ sink, signal }) => {
        await sink({ status: 'Pulling' });
        signal.addEventListener('abort', () => {
          hear();
        });
        await heard;
      },
    },
  });
  const wire = dial(path, post('/images/create?fromImage=a'));
  await wire.until('Pulling');
  wire.socket.destroy();
  await heard;
  t.pass('told');
});

test('a client that does not read holds up progress, and loses only progress', async (t) => {
  let sent = 0;
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const path = await makeListening(t, {
    images: {
      pull: async ({ sink, signal }) => {
        const status = 'x'.repeat(1000);
        for (let n = 0; n < 5000 && !signal.aborted; n++) {
          void sink({ status, progressDetail: { current: n } });
          sent++;
        }
        await sink({ status: 'the end' });
        finish();
      },
    },
  });
  const wire = dial(path, post('/images/create?fromImage=a'));
  wire.socket.pause();
  setTimeout(() => wire.socket.resume(), 50);
  const text = await wire.until('the end');
  await finished;
  wire.socket.destroy();
  t.equal(sent, 5000);
  t.ok(text.length < 2_500_000, `${text.length} bytes of 5 MB were kept`);
});

test('logs are sent as they come, and their headers before the first line', async (t) => {
  let go: () => void = () => undefined;
  const wait = new Promise<void>((resolve) => (go = resolve));
  async function* bytes(): AsyncGenerator<Uint8Array> {
    await wait;
    const out = '\u0001\0\0\0\0\0\0\u0004out\n';
    yield Buffer.from(`${out}\u0002\0\0\0\0\0\0\u0006error\n`);
  }
  const path = await makeListening(t, {
    containers: {
      logs: (_id, request) => {
        t.match(request, { follow: true, stdout: true, tail: 5, sinceNano: 1500000000n });
        return Promise.resolve({ tty: false, bytes: bytes() });
      },
    },
  });
  const wire = dial(path, get('/containers/c/logs?follow=1&stdout=1&stderr=1&tail=5&since=1.5'));
  t.match(await wire.until('\r\n\r\n'), /Content-Type: application\/vnd.docker.multiplexed-stream/);
  go();
  const text = await wire.until('error\n');
  wire.socket.destroy();
  t.match(text, '\u0001\0\0\0\0\0\0\u0004out\n\u0002\0\0\0\0\0\0\u0006error\n');
});

test('logs of a terminal have its media type', async (t) => {
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('out\r\n');
  }
  const { app } = await makeServer(t, {
    containers: { logs: () => Promise.resolve({ tty: true, bytes: bytes() }) },
  });
  const response = await app.inject('/containers/c/logs?stdout=1&tail=all');
  t.equal(response.body, 'out\r\n');
  t.equal(response.headers['content-type'], 'application/vnd.docker.raw-stream');
});

test('events come as lines with every nanosecond, headers at once', async (t) => {
  let go: () => void = () => undefined;
  const wait = new Promise<void>((resolve) => (go = resolve));
  async function* subscribe(): AsyncGenerator<TimedEvent> {
    await wait;
    const Actor = { ID: 'i', Attributes: {} };
    yield { Type: 'volume', Action: 'create', Actor, scope: 'local', timeNano: 1_000_000_007n };
    await never();
  }
  const path = await makeListening(t, { events: { subscribe } });
  const wire = dial(path, get('/events?since=1'));
  t.match(await wire.until('\r\n\r\n'), /^HTTP\/1\.1 200 .*Content-Type: application\/json\r\n/s);
  go();
  t.match(await wire.until('}\n'), '"scope":"local","time":1,"timeNano":1000000007}\n');
  wire.socket.destroy();
});

test('a wait sends its headers at once and its answer at the exit', async (t) => {
  let exit: (code: number) => void = () => undefined;
  const exited = new Promise<number>((resolve) => (exit = resolve));
  const path = await makeListening(t, {
    containers: {
      wait: (_id, { condition }) => {
        t.equal(condition, 'next-exit');
        const result = exited.then((StatusCode) => ({ StatusCode, Error: null }));
        return Promise.resolve({ result });
      },
    },
  });
  const wire = dial(path, post('/containers/c/wait?condition=next-exit'));
  t.match(await wire.until('\r\n\r\n'), /^HTTP\/1\.1 200 /);
  exit(3);
  t.match(await wire.until('}\n'), '{"StatusCode":3,"Error":null}\n');
  wire.socket.destroy();
});

test('a stream that breaks is cut, so that its client notices', async (t) => {
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('out\n');
    throw new Error('disk gone');
  }
  const path = await makeListening(t, {
    containers: { logs: () => Promise.resolve({ tty: true, bytes: bytes() }) },
  });
  const wire = dial(path, get('/containers/c/logs?stdout=1'));
  t.notMatch(await wire.ended(), /0\r\n\r\n$/);
});
