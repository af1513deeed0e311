import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'tap';
import { demandJson, guard } from '../../../daemon/http/guard.js';

function request(headers: Readonly<Record<string, string>>, over: 'tcp' | 'unix' = 'tcp') {
  const socket = new Socket();
  if (over === 'tcp') Object.defineProperty(socket, 'remoteAddress', { value: '127.0.0.1' });
  const made = new IncomingMessage(socket);
  Object.assign(made.headers, headers);
  return made;
}

const allowed = new Set(['engine.example']);
const invalid = { name: 'ApiError', kind: 'InvalidParameter' };
const forbidden = { name: 'ApiError', kind: 'Forbidden' };

test('on TCP only our own names and addresses are hosts', async (t) => {
  for (const host of ['localhost:2376', '127.0.0.1', '[::1]:2376', 'Engine.Example:2376']) {
    t.doesNotThrow(() => guard(request({ host }), allowed), host);
  }
  for (const host of ['evil.example', 'localhost.evil.example', '', 'engine.example.evil']) {
    t.throws(() => guard(request({ host }), allowed), forbidden, host);
  }
  t.throws(() => guard(request({}), allowed), forbidden);
});

test('on a unix socket any host will do', async (t) => {
  t.doesNotThrow(() => guard(request({ host: 'api.moby.localhost' }, 'unix'), allowed));
});

test('a page of another origin is refused on every listener', async (t) => {
  for (const origin of ['https://evil.example', 'null', 'http://localhost:1']) {
    t.throws(() => guard(request({ host: 'localhost', origin }, 'unix'), allowed), forbidden);
  }
  t.doesNotThrow(() => guard(request({ host: 'localhost', origin: 'http://localhost' }), allowed));
});

test('what a browser calls cross-site is refused', async (t) => {
  for (const site of ['cross-site', 'same-site']) {
    const headers = { host: 'localhost', 'sec-fetch-site': site };
    t.throws(() => guard(request(headers, 'unix'), allowed), forbidden);
  }
  const proxied = {
    host: 'portal.example',
    origin: 'https://other.example',
    'sec-fetch-site': 'same-origin',
  };
  t.doesNotThrow(() => guard(request(proxied, 'unix'), allowed));
});

test('a body has to be declared as JSON', async (t) => {
  for (const type of ['application/json', 'application/json; charset=utf-8', 'Application/JSON']) {
    t.doesNotThrow(() => demandJson(request({ 'content-type': type, 'content-length': '2' })));
  }
  t.doesNotThrow(() => demandJson(request({})));
  t.doesNotThrow(() => demandJson(request({ 'content-length': '0' })));
  t.throws(() => demandJson(request({ 'content-type': 'text/plain', 'content-length': '2' })), {
    kind: 'InvalidParameter',
    message: "unsupported Content-Type header (text/plain): must be 'application/json'",
  });
  t.throws(() => demandJson(request({ 'content-length': '2' })), invalid);
  t.throws(() => demandJson(request({ 'transfer-encoding': 'chunked' })), invalid);
});
