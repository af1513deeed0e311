/** The compiled client of the bench: it says what it is told to, and hears what it is answered. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test, type Test } from 'tap';
import { given, made, Talker, type Step } from '../../../bench/talk/index.js';

const id = 'a1'.repeat(32);

async function setUp(t: Test, answer: RequestListener): Promise<Talker> {
  // A testdir's path may be longer than a socket's address.
  const folder = mkdtempSync(join(tmpdir(), 'tsd-'));
  const socket = join(folder, 's');
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  t.teardown(() => void server.close());
  const talker = new Talker(socket);
  t.teardown(async () => {
    await talker.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  });
  return talker;
}

const whole = (...request: NonNullable<Step['request']>): Step =>
  ({ line: 0, request, until: 'end' });

test('ids go from answers into requests, and bodies arrive as they were written', async (t) => {
  const heard: string[] = [];
  const said = async (request: IncomingMessage): Promise<void> =>
    void heard.push(`${request.method} ${request.url} ${await text(request)}`);
  const talker = await setUp(t, (request, response) => {
    void said(request).then(() => response.end(JSON.stringify({ Id: id, Warnings: [] })));
  });
  const steps = [
    whole('POST', `/containers/${given}/exec`, { Cmd: ['/bin/true'] }),
    whole('POST', `/exec/${made}/start`),
    whole('GET', '/_ping'),
  ];
  const ms = await talker.ms({ steps, id: 'b2'.repeat(32) });
  t.ok(ms > 0 && ms < 10_000, `${ms} ms`);
  t.same(heard, [
    `POST /containers/${'b2'.repeat(32)}/exec {"Cmd":["/bin/true"]}`,
    `POST /exec/${id}/start `,
    'GET /_ping ',
  ]);
});

test('an answer ends by its length, its last chunk, or the end of its connection', async (t) => {
  const connections = new Set<unknown>();
  const talker = await setUp(t, (request, response) => {
    connections.add(request.socket);
    if (request.url === '/chunked') {
      response.write('one, ');
      setTimeout(() => response.end('two'), 20);
    } else if (request.url === '/closed') {
      response.useChunkedEncodingByDefault = false;
      response.writeHead(200, { Connection: 'close' }).end('all of it');
    } else if (request.url === '/none') {
      response.writeHead(204).end();
    } else {
      response.end('long'.repeat(50_000));
    }
  });
  const step = (path: string, expected: string): Step => ({ ...whole('GET', path), expected });
  const steps = [
    step('/chunked', 'one, two'), step('/closed', 'all of it'), step('/none', ''),
    step('/', 'longlong'), step('/chunked', 'one, two'),
  ];
  await talker.ms({ steps });
  await talker.ms({ steps });
  t.equal(connections.size, 3, 'a connection is kept as long as it can be');
});

test('another line is heard while one waits', async (t) => {
  let end: () => void = () => undefined;
  const talker = await setUp(t, (request, response) => {
    if (request.url === '/wait') {
      response.flushHeaders();
      end = () => response.end('{"StatusCode":0}');
    } else {
      response.writeHead(204).end();
      end();
    }
  });
  const steps: Step[] = [
    { line: 1, request: ['POST', '/wait'], until: 'head' },
    whole('POST', '/start'),
    { line: 1, until: 'end', expected: '"StatusCode":0' },
  ];
  t.ok(await talker.ms({ steps, times: 3 }) > 0);
});

test('what was not expected is an error, and the next conversation begins anew', async (t) => {
  let status = 404;
  const talker = await setUp(t, (_, response) => void response.writeHead(status).end('No such'));
  const steps = [whole('GET', '/x')];
  await t.rejects(talker.ms({ steps }), /404 No such/);
  status = 200;
  t.ok(await talker.ms({ steps }) > 0);
  const other = [{ ...whole('GET', '/x'), expected: 'something else' }];
  await t.rejects(talker.ms({ steps: other }), /200 No such/);
});

test('as many at once as it is told, each as often as it is told', async (t) => {
  let asked = 0;
  let [open, most] = [0, 0];
  const talker = await setUp(t, (_, response) => {
    asked++;
    most = Math.max(most, ++open);
    setTimeout(() => {
      open--;
      response.end('{}');
    }, 20);
  });
  await talker.ms({ steps: [whole('GET', '/x')], lanes: 5, times: 3 });
  t.equal(asked, 15);
  t.equal(most, 5);
});
