import { test } from 'tap';
import type { Duplex } from 'node:stream';
import { notFound } from '../../api-spec/errors.js';
import type { ContainersApi } from '../../daemon/http/needs.js';
import { dial, makeListening } from './engine.js';
import { conversation } from './fakes.js';

const attachHead = (extra = '') =>
  `POST /v1.45/containers/c/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\n${extra}\r\n`;
const upgrade = 'Connection: Upgrade\r\nUpgrade: tcp\r\n';

function execHead(body: string, extra: string): string {
  return (
    'POST /v1.45/exec/e/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n' +
    `${extra}Content-Length: ${body.length}\r\n\r\n${body}`
  );
}

/** Says hello, repeats stdin in capitals, and says what it was when stdin has ended. */
async function echo(client: Duplex): Promise<void> {
  client.write('hello ');
  let all = '';
  for await (const chunk of client.iterator({ destroyOnReturn: false })) {
    all += String(chunk);
    client.write(String(chunk).toUpperCase());
  }
  client.write(`[${all}]`);
}

const echoing: Partial<ContainersApi> = {
  attach: () => Promise.resolve(conversation(echo)),
  execStart: () => Promise.resolve(conversation(echo)),
};

test('an attach with Upgrade is 101, and its stdin may end before its output', async (t) => {
  const path = await makeListening(t, { containers: echoing });
  const wire = dial(path, attachHead(upgrade));
  const head = await wire.until('hello ');
  t.match(head, /^HTTP\/1\.1 101 UPGRADED\r\n/);
  t.match(head, 'Content-Type: application/vnd.docker.multiplexed-stream\r\n');
  t.match(head, /Connection: Upgrade\r\nUpgrade: tcp\r\n.*Api-Version: 1\.51\r\n/s);
  wire.socket.write('abc');
  await wire.until('ABC');
  wire.socket.end('def');
  t.match(await wire.ended(), /hello ABCDEF\[abcdef\]$/);
});

test('an attach without Upgrade is 200, raw both ways', async (t) => {
  const path = await makeListening(t, { containers: echoing });
  const wire = dial(path, attachHead('Content-Length: 0\r\n'));
  const head = await wire.until('hello ');
  t.match(head, /^HTTP\/1\.1 200 OK\r\n/);
  t.notMatch(head, /chunked|content-length/i);
  wire.socket.end('abc');
  t.match(await wire.ended(), /hello ABC\[abc\]$/);
});

test('stdin that comes with the head is not lost', async (t) => {
  const path = await makeListening(t, { containers: echoing });
  for (const extra of [upgrade, '']) {
    const wire = dial(path, `${attachHead(extra)}early`);
    await wire.until('EARLY');
    wire.socket.end();
    t.match(await wire.ended(), /EARLY\[early\]$/);
  }
});

test('the body of an exec is cut from its stdin', async (t) => {
  const bodies: unknown[] = [];
  const path = await makeListening(t, {
    containers: {
      execStart: (_id, body) => {
        bodies.push(body);
        return Promise.resolve(conversation(echo));
      },
    },
  });
  for (const extra of [upgrade, '']) {
    const wire = dial(path, `${execHead('{"Detach":false,"tty":true}', extra)}in`);
    await wire.until('IN');
    wire.socket.end();
    t.match(await wire.ended(), /hello IN\[in\]$/);
  }
  t.same(bodies, Array(2).fill({ Detach: false, Tty: true }));
});

test('a body that comes after its head is waited for', async (t) => {
  const path = await makeListening(t, { containers: echoing });
  const whole = execHead('{"Detach":false}', upgrade);
  const wire = dial(path, whole.slice(0, -5));
  setTimeout(() => wire.socket.write(`${whole.slice(-5)}late`), 30);
  t.match(await wire.until('LATE'), /^HTTP\/1\.1 101 /);
  wire.socket.end();
  t.match(await wire.ended(), /\[late\]$/);
});

test('a chunked body and its end are no stdin (dockerode)', async (t) => {
  const path = await makeListening(t, { containers: echoing });
  const head =
    'POST /exec/e/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n' +
    `${upgrade}Transfer-Encoding: chunked\r\n\r\n`;
  const whole = dial(path, `${head}2\r\n{}\r\n0\r\n\r\nabc`);
  whole.socket.end();
  t.match(await whole.ended(), /hello ABC\[abc\]$/);
  const pieces = dial(path, head);
  for (const piece of ['2\r', '\n{}', '\r\n0\r', '\n\r', '\nabc']) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    pieces.socket.write(piece);
  }
  await pieces.until('ABC');
  pieces.socket.end();
  t.match(await pieces.ended(), /\[abc\]$/);
});

test('a chunked attach whose body never ends still speaks', async (t) => {
  const path = await makeListening(t, { containers: echoing });
  const wire = dial(path, attachHead(`${upgrade}Transfer-Encoding: chunked\r\n`));
  await wire.until('hello ');
  wire.socket.write('abc');
  await wire.until('ABC');
  wire.socket.end();
  t.match(await wire.ended(), /\[abc\]$/);
});

test('without Upgrade a chunked body goes on as stdin', async (t) => {
  const path = await makeListening(t, { containers: echoing });
  const wire = dial(
    path,
    'POST /exec/e/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n' +
      'Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n',
  );
  t.match(await wire.until('hello '), /^HTTP\/1\.1 200 OK\r\n/);
  wire.socket.write('3\r\nabc\r\n');
  await wire.until('ABC');
  wire.socket.write('0\r\n\r\n');
  const text = await wire.ended();
  t.match(text, /hello ABC\[abc\]$/);
  t.notMatch(text, /chunked/i);
});

test('an attach on a connection that was used before works too', async (t) => {
  const path = await makeListening(t, { containers: echoing });
  const wire = dial(path, 'GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n');
  await wire.until('OK');
  wire.socket.write(attachHead(upgrade));
  await wire.until('hello ');
  wire.socket.end('abc');
  t.match(await wire.ended(), /\[abc\]$/);
});

test('an exec that detaches is 200 and empty', async (t) => {
  const path = await makeListening(t, {
    containers: { execStart: () => Promise.resolve(undefined) },
  });
  for (const extra of [upgrade, '']) {
    const wire = dial(path, execHead('{"Detach":true}', extra));
    t.match(await wire.ended(), /^HTTP\/1\.1 200 OK\r\n.*Content-Length: 0\r\n/s);
    wire.socket.destroy();
  }
});

test('what refuses a conversation has a status', async (t) => {
  const path = await makeListening(t, {
    containers: { execStart: () => Promise.reject(notFound('No such exec instance: e')) },
  });
  const cases = [
    [execHead('{}', upgrade), 404, 'No such exec instance: e'],
    [execHead('{', upgrade), 400, 'invalid JSON: unexpected EOF'],
    [execHead('{"Tty":1}', upgrade), 400, 'cannot unmarshal number into field Tty'],
    [attachHead(`${upgrade}Origin: https://evil.example\r\n`), 403, 'Origin not allowed'],
    [attachHead(upgrade).replace('v1.45', 'v1.99'), 400, 'client version 1.99 is too new'],
  ] as const;
  for (const [request, status, message] of cases) {
    const wire = dial(path, request);
    const text = await wire.until('}\n');
    wire.socket.destroy();
    t.match(text, new RegExp(`^HTTP/1\\.1 ${status} `));
    t.match(text, message);
  }
  // Docker has taken the connection of an attach over by then.
  for (const head of [attachHead(upgrade), attachHead()]) {
    const wire = dial(path, head);
    const text = await wire.until('No such container: c\r\n');
    wire.socket.destroy();
    t.match(text, /^HTTP\/1\.1 404 Not Found\r\n/);
    t.match(text, 'Content-Type: application/vnd.docker.raw-stream\r\n');
  }
});

test('a conversation hears that its client has gone', async (t) => {
  let hear: () => void = () => undefined;
  const heard = new Promise<void>((resolve) => (hear = resolve));
  const path = await makeListening(t, {
    containers: {
      attach: () =>
        Promise.resolve(
          conversation(async (client, signal) => {
            const timer = setInterval(() => client.write('hello '), 5);
            signal.addEventListener('abort', () => {
              clearInterval(timer);
              hear();
            });
            await heard;
          }),
        ),
    },
  });
  const gone = dial(path, attachHead(upgrade));
  await gone.until('hello ');
  gone.socket.destroy();
  await heard;
  t.pass('told');
});

test('a client that never closes its side is let go', async (t) => {
  const path = await makeListening(t, {
    containers: {
      execStart: () => Promise.resolve(conversation(async (client) => void client.write('bye'))),
    },
  });
  const silent = dial(path, execHead('{}', upgrade));
  t.match(await silent.ended(), /bye$/);
  const closed = new Promise((resolve) => silent.socket.once('close', resolve));
  // A write to a closed connection is the only way to learn of it.
  const timer = setInterval(() => silent.socket.write('x'), 50);
  await closed;
  clearInterval(timer);
  t.ok(silent.socket.destroyed);
});

test('docker-py gets its first bytes later than the head', async (t) => {
  const path = await makeListening(t, { containers: echoing });
  const gap = async (agent: string) => {
    const wire = dial(path, attachHead(`${upgrade}User-Agent: ${agent}\r\n`));
    await wire.until('\r\n\r\n');
    const begun = performance.now();
    const together = wire.received().includes('hello');
    await wire.until('hello');
    wire.socket.destroy();
    return { together, gapMs: performance.now() - begun };
  };
  const python = await gap('docker-sdk-python/7.1.0');
  t.equal(python.together, false);
  t.ok(python.gapMs >= 5, `${python.gapMs} ms`);
});

test('an Upgrade to what we do not speak is passed over', async (t) => {
  const path = await makeListening(t);
  const wire = dial(
    path,
    'GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n',
  );
  t.match(await wire.until('OK'), /^HTTP\/1\.1 200 /);
  wire.socket.write('GET /nope HTTP/1.1\r\nHost: x\r\n\r\n');
  t.match(await wire.until('page not found'), /HTTP\/1\.1 404 /);
  wire.socket.destroy();
  const body = dial(
    path,
    'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n' +
      'Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 13\r\n\r\n{"Image":"a"}',
  );
  t.match(await body.until('Warnings'), /^HTTP\/1\.1 201 /);
  body.socket.destroy();
});

test('BuildKit is told that it is not there', async (t) => {
  const path = await makeListening(t);
  for (const url of ['/session', '/grpc']) {
    const wire = dial(
      path,
      `POST ${url} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n`,
    );
    t.match(await wire.until('not implemented'), /^HTTP\/1\.1 501 /);
    wire.socket.destroy();
  }
});

test('a hundred kilobytes of stdin arrive whole', async (t) => {
  let sizeBytes = 0;
  const path = await makeListening(t, {
    containers: {
      attach: () =>
        Promise.resolve(
          conversation(async (client) => {
            for await (const chunk of client.iterator({ destroyOnReturn: false })) {
              sizeBytes += (chunk as Buffer).length;
            }
            client.write(`<${sizeBytes}>`);
          }),
        ),
    },
  });
  const wire = dial(path, `${attachHead(upgrade)}${'x'.repeat(100_000)}`);
  wire.socket.end();
  t.match(await wire.ended(), /<100000>$/);
});
