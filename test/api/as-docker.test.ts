/** Answers in which this engine once differed from Docker's, found by comparing the two. */
import { test } from 'tap';
import { makeServer } from './engine.js';

const message = ({ body }: { readonly body: string }): unknown =>
  (JSON.parse(body) as { readonly message: unknown }).message;

const own = ['api-version', 'docker-experimental', 'ostype', 'server'];

test('an unknown path is answered without the engine\'s headers, OPTIONS with them', async (t) => {
  const { app } = await makeServer(t);
  const unknown = await app.inject('/nothing');
  t.equal(unknown.statusCode, 404);
  t.same(own.filter((name) => name in unknown.headers), []);
  const options = await app.inject({ method: 'OPTIONS', url: '/v1.45/info' });
  t.same(own.filter((name) => name in options.headers), own);
});

test('a body of no media type is told apart from one of a wrong type', async (t) => {
  const { app } = await makeServer(t);
  const post = (headers: Readonly<Record<string, string>>) =>
    app.inject({ method: 'POST', url: '/containers/create', headers, payload: '{}' });
  t.equal(
    message(await post({ 'content-type': ';;;' })),
    'malformed Content-Type header (;;;): mime: no media type',
  );
  t.equal(
    message(await post({ 'content-type': 'x' })),
    "unsupported Content-Type header (x): must be 'application/json'",
  );
});

test('a query that cannot be read is refused', async (t) => {
  const { app } = await makeServer(t);
  const wrong = { 'all=%zz': 'invalid URL escape "%zz"', 'all=%': 'invalid URL escape "%"' };
  for (const [query, words] of Object.entries(wrong)) {
    const response = await app.inject(`/containers/json?${query}`);
    t.match(response, { statusCode: 400 });
    t.equal(message(response), words);
  }
  const response = await app.inject('/containers/x/top?ps_args=-ef;ls');
  t.equal(message(response), 'invalid semicolon separator in query');
});

test('filters are read whole before their names are looked at', async (t) => {
  const { app } = await makeServer(t);
  const response = await app.inject(`/containers/json?filters=${encodeURIComponent('{"a":1}')}`);
  t.equal(message(response), 'invalid filter');
});

test('checkpoints are for experimental engines, whatever the container', async (t) => {
  const { app } = await makeServer(t);
  const asked = [
    ['GET', '/containers/x/checkpoints'], ['POST', '/v1.45/containers/x/checkpoints'],
    ['DELETE', '/containers/x/checkpoints/y'],
  ] as const;
  for (const [method, url] of asked) {
    const response = await app.inject({ method, url });
    t.equal(response.statusCode, 501, url);
    t.equal(message(response), 'This experimental feature is disabled by default. Start the ' +
      'Docker daemon in experimental mode in order to enable it.');
  }
});

test('a session without an upgrade is refused as Docker refuses it', async (t) => {
  const { app } = await makeServer(t);
  const response = await app.inject({ method: 'POST', url: '/session' });
  t.equal(response.statusCode, 400);
  t.equal(message(response), 'no upgrade proto in request');
});

test('a start from a checkpoint is refused in Docker\'s words', async (t) => {
  const { app } = await makeServer(t);
  const start = (query: string) =>
    app.inject({ method: 'POST', url: `/containers/x/start?${query}` });
  t.match(await start('checkpoint=x'), { statusCode: 400 });
  t.equal(
    message(await start('checkpoint=x')),
    'checkpoint is only supported in experimental mode',
  );
  t.match(await start('checkpoint-dir=/x'), { statusCode: 403 });
});

test('events may not end before they begin', async (t) => {
  const { app } = await makeServer(t);
  const response = await app.inject('/events?since=5&until=4');
  t.equal(message(response), '`since` time (5) cannot be after `until` time (4)');
});

test('managed plugins are filtered by a yes or a no', async (t) => {
  const { app } = await makeServer(t);
  const list = (value: string) =>
    app.inject(`/plugins?filters=${encodeURIComponent(JSON.stringify({ enabled: [value] }))}`);
  t.equal((await list('true')).body, '[]\n');
  t.equal(message(await list('x')), "invalid filter 'enabled=[x]'");
});

test('the command of an exec is a list', async (t) => {
  const { app } = await makeServer(t);
  const payload = { Cmd: 'true' };
  const response = await app.inject({ method: 'POST', url: '/containers/x/exec', payload });
  t.equal(response.statusCode, 400);
});
