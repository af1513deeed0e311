import { test } from 'tap';
import { dial, makeListening, makeServer } from './engine.js';

const headers = { 'content-type': 'application/json' };
const message = (response: { readonly body: string }): unknown =>
  (JSON.parse(response.body) as { readonly message: unknown }).message;

test('malformed and mistyped bodies are refused, and nothing is made', async (t) => {
  let made = 0;
  const { app } = await makeServer(t, {
    containers: {
      create: () => {
        made++;
        return Promise.resolve({ Id: 'x', Warnings: [] });
      },
    },
  });
  const wrong = ['{', '{} x', '[]', '{"Image":5}', '{"Image":"a","HostConfig":[]}'];
  for (const payload of [...wrong, '{}', 'null', '']) {
    const url = '/containers/create';
    const response = await app.inject({ method: 'POST', url, headers, payload });
    t.equal(response.statusCode, 400, payload);
    t.type(message(response), 'string');
  }
  t.equal(made, 0);
});

test('a form post is refused', async (t) => {
  const { app } = await makeServer(t);
  const forms = ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data'];
  for (const type of [...forms, 'garbage']) {
    const response = await app.inject({
      method: 'POST',
      url: '/containers/create',
      headers: { 'content-type': type },
      payload: '{"Image":"a"}',
    });
    t.equal(response.statusCode, 400, type);
    t.equal(
      message(response),
      `unsupported Content-Type header (${type}): must be 'application/json'`,
    );
  }
});

test('unknown filters and wrong numbers are refused', async (t) => {
  const { app } = await makeServer(t);
  const filters = encodeURIComponent('{"x":["y"]}');
  for (const url of ['/containers/json', '/images/json', '/volumes', '/networks', '/events']) {
    const response = await app.inject(`${url}?filters=${filters}`);
    t.equal(response.statusCode, 400, url);
    t.equal(message(response), "invalid filter 'x'");
  }
  for (const url of [
    '/containers/json?limit=abc',
    '/events?since=abc',
    '/containers/x/logs?stdout=1&since=abc',
    '/system/df?type=x',
    '/containers/x/logs',
  ]) {
    t.equal((await app.inject(url)).statusCode, 400, url);
  }
  for (const url of [
    '/containers/x/stop?t=abc',
    '/containers/x/resize?h=a&w=1',
    '/containers/x/resize?w=1',
    '/containers/x/wait?condition=abc',
    '/containers/x/rename',
    '/containers/x/exec',
    '/images/create',
  ]) {
    t.equal((await app.inject({ method: 'POST', url })).statusCode, 400, url);
  }
});

test('a foreign page is refused on every route', async (t) => {
  const { app } = await makeServer(t);
  for (const extra of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }]) {
    for (const url of ['/_ping', '/containers/json', '/images/json']) {
      t.equal((await app.inject({ url, headers: extra })).statusCode, 403, url);
    }
  }
});

test('a foreign host is refused over TCP', async (t) => {
  const { app } = await makeServer(t);
  t.equal((await app.inject({ url: '/info', headers: { host: 'evil.example' } })).statusCode, 403);
  const ours = await app.inject({ url: '/_ping', headers: { host: 'engine.example:2376' } });
  t.equal(ours.statusCode, 200);
});

test('a body that says it is too large is refused before it is sent', async (t) => {
  const path = await makeListening(t);
  const wire = dial(
    path,
    'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n' +
      'Content-Length: 200000000\r\n\r\n{',
  );
  t.teardown(async () => wire.socket.destroy());
  t.match(await wire.until('"message"'), /^HTTP\/1\.1 413 .*Connection: close/s);
  await wire.ended();
});

test('a body that becomes too large is refused on the way, and its sender told', async (t) => {
  const path = await makeListening(t);
  const wire = dial(
    path,
    'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n' +
      'Transfer-Encoding: chunked\r\n\r\n',
  );
  t.teardown(async () => wire.socket.destroy());
  const chunk = `${(1 << 20).toString(16)}\r\n${' '.repeat(1 << 20)}\r\n`;
  for (let sent = 0; sent < 20 && !wire.socket.destroyed; sent++) wire.socket.write(chunk);
  t.match(await wire.until('"message"'), /^HTTP\/1\.1 413 /);
});

test('a stream that is no JSON has no bound', async (t) => {
  let sizeBytes = 0;
  const { app } = await makeServer(t, {
    images: {
      load: async ({ body, sink }) => {
        for await (const chunk of body) sizeBytes += (chunk as Buffer).length;
        await sink({ stream: 'Loaded image: x\n' });
      },
    },
  });
  const payload = Buffer.alloc(17 << 20);
  const response = await app.inject({
    method: 'POST',
    url: '/images/load',
    headers: { 'content-type': 'application/x-tar' },
    payload,
  });
  t.match(response, { statusCode: 200, body: '{"stream":"Loaded image: x\\n"}\r\n' });
  t.equal(sizeBytes, payload.length);
});

test('headers of several hundred kilobytes are read, over a megabyte refused', async (t) => {
  const path = await makeListening(t);
  const ask = (bytes: number) =>
    dial(path, `GET /_ping HTTP/1.1\r\nHost: x\r\nX-Registry-Config: ${'a'.repeat(bytes)}\r\n\r\n`);
  const large = ask(300_000);
  t.match(await large.until('OK'), /^HTTP\/1\.1 200 /);
  large.socket.destroy();
  const larger = ask(1_200_000);
  t.match(await larger.ended(), /^(HTTP\/1\.1 431 |$)/);
  larger.socket.destroy();
});

test('what is not HTTP is told and cut', async (t) => {
  const path = await makeListening(t);
  const wire = dial(path, 'hello\r\n\r\n');
  t.match(await wire.ended(), /^HTTP\/1\.1 400 /);
  wire.socket.destroy();
  const second = dial(path, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  t.equal(await second.ended(), '');
  second.socket.destroy();
});

test('a body at start is refused, an empty object is not', async (t) => {
  const { app } = await makeServer(t, {
    containers: { start: () => Promise.resolve('started') },
  });
  const start = async (payload: string) =>
    (await app.inject({ method: 'POST', url: '/containers/x/start', headers, payload })).statusCode;
  t.equal(await start('{"Binds":["/:/x"]}'), 400);
  t.equal(await start('{}'), 204);
  t.equal(await start('null'), 204);
});
