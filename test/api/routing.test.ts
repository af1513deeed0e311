import { test } from 'tap';
import { notFound } from '../../api-spec/errors.js';
import type { Operation } from '../../api-spec/operation.js';
import { operations } from '../../api-spec/operations/index.js';
import type { ContainerSummary } from '../../api-spec/index.js';
import { ErrnoError } from '../../native/errno-error.js';
import { makeServer, type Bugs } from './engine.js';

const message = (response: { readonly body: string }): unknown =>
  (JSON.parse(response.body) as { readonly message: unknown }).message;

test('every operation has a route', async (t) => {
  const { app } = await makeServer(t);
  // The values are operations; the alias forgets their literal types.
  for (const { operationId, method, url } of Object.values(operations) as readonly Operation[]) {
    t.ok(app.hasRoute({ method, url }), operationId);
  }
});

test('a ping says OK and which version is spoken', async (t) => {
  const { app } = await makeServer(t);
  const get = await app.inject('/_ping');
  t.equal(get.body, 'OK');
  t.match(get.headers, {
    'api-version': '1.51',
    ostype: 'linux',
    'docker-experimental': 'false',
    'builder-version': '2',
    swarm: 'inactive',
    server: 'Docker/28.0.0 (linux)',
    'cache-control': 'no-cache, no-store, must-revalidate',
    pragma: 'no-cache',
    'content-type': 'text/plain; charset=utf-8',
  });
  const head = await app.inject({ method: 'HEAD', url: '/v1.24/_ping' });
  t.match(head, { statusCode: 200, body: '', headers: { 'content-length': '0' } });
});

test('an unknown path or method is not found, as in Docker', async (t) => {
  const { app } = await makeServer(t);
  for (const [method, url] of [
    ['GET', '/nope'],
    ['DELETE', '/info'],
    ['POST', '/_ping'],
    ['GET', '/v1.abc/info'],
    ['GET', '/v1.99/nope'],
  ] as const) {
    const response = await app.inject({ method, url });
    t.equal(response.statusCode, 404, url);
    t.equal(message(response), 'page not found');
    t.equal(response.headers['api-version'], undefined);
  }
});

test('JSON ends with a newline and has no charset', async (t) => {
  const { app } = await makeServer(t);
  const response = await app.inject('/v1.45/containers/json');
  t.equal(response.body, '[]\n');
  t.equal(response.headers['content-type'], 'application/json');
});

test('a name with slashes and a digest reaches its service', async (t) => {
  const names: string[] = [];
  const { app } = await makeServer(t, {
    images: {
      history: (name) => {
        names.push(name);
        return Promise.resolve([]);
      },
    },
  });
  const digest = `sha256:${'0'.repeat(64)}`;
  const long = `registry.example:5000/${'team/'.repeat(20)}app@${digest}`;
  t.equal((await app.inject(`/images/${long}/history`)).statusCode, 200);
  t.equal((await app.inject(`/v1.40/images/a%2Fb:c/history`)).statusCode, 200);
  t.same(names, [long, 'a/b:c']);
});

test('a name over its bound is refused and told', async (t) => {
  const { app } = await makeServer(t);
  const response = await app.inject(`/images/${'a'.repeat(2000)}/json`);
  t.ok([404, 414].includes(response.statusCode));
  t.type(message(response), 'string');
});

test('a malformed url is 400', async (t) => {
  const { app } = await makeServer(t);
  const response = await app.inject('/containers/%zz/json');
  t.equal(response.statusCode, 400);
  t.type(message(response), 'string');
});

test('what a service throws becomes status and message', async (t) => {
  const bugs: Bugs = [];
  const errors = [notFound('no'), new ErrnoError('mount', 'ENOSPC'), new Error('odd')];
  const inspect = (id: string) => Promise.reject(errors[Number(id)] ?? new Error('which?'));
  const { app } = await makeServer(t, { containers: { inspect } }, bugs);
  const statuses = await Promise.all(
    [0, 1, 2].map(async (n) => (await app.inject(`/containers/${n}/json`)).statusCode),
  );
  t.same(statuses, [404, 507, 500]);
  t.same(bugs, [errors[2]]);
});

test('an error in answer to HEAD has the length of its message, and no body', async (t) => {
  const { app } = await makeServer(t, {
    containers: { archiveInfo: () => Promise.reject(notFound('No such container: x')) },
  });
  const response = await app.inject({ method: 'HEAD', url: '/containers/x/archive?path=/' });
  t.match(response, { statusCode: 404, body: '', headers: { 'content-length': '35' } });
});

test('the stat of a path comes in a header', async (t) => {
  const stat = { name: 'a', size: 1, mode: 420, mtime: '2026-01-01T00:00:00Z', linkTarget: '' };
  const { app } = await makeServer(t, {
    containers: { archiveInfo: () => Promise.resolve(stat) },
  });
  const response = await app.inject({ method: 'HEAD', url: '/containers/x/archive?path=/a' });
  t.equal(response.statusCode, 200);
  const header = String(response.headers['x-docker-container-path-stat']);
  t.same(JSON.parse(Buffer.from(header, 'base64').toString()), stat);
});

test('starting what runs is 304', async (t) => {
  const { app } = await makeServer(t, {
    containers: {
      start: (id) => Promise.resolve(id === 'runs' ? 'alreadyRunning' : 'started'),
      stop: () => Promise.resolve('alreadyStopped'),
    },
  });
  const post = async (url: string) => {
    const response = await app.inject({ method: 'POST', url });
    return [response.statusCode, response.body];
  };
  t.same(await post('/containers/runs/start'), [304, '']);
  t.same(await post('/containers/rests/start'), [204, '']);
  t.same(await post('/containers/rests/stop?t=0'), [304, '']);
});

test('a swarm is unavailable in the words of Docker', async (t) => {
  const { app } = await makeServer(t);
  for (const url of ['/swarm', '/services', '/nodes/x', '/tasks', '/secrets', '/configs']) {
    const response = await app.inject(url);
    t.equal(response.statusCode, 503, url);
    t.match(message(response), /^This node is not a swarm manager\. Use "docker swarm init"/);
  }
  const leave = await app.inject({ method: 'POST', url: '/swarm/leave' });
  t.equal(message(leave), 'This node is not part of a swarm');
  for (const verb of ['init', 'join']) {
    const response = await app.inject({ method: 'POST', url: `/swarm/${verb}`, payload: {} });
    t.equal(response.statusCode, 503, verb);
    t.equal(message(response),
      '--live-restore daemon configuration is incompatible with swarm mode');
  }
});

test('there are no plugins', async (t) => {
  const { app } = await makeServer(t);
  t.equal((await app.inject('/plugins')).body, '[]\n');
  t.equal(message(await app.inject('/plugins/a/b/json')), 'plugin "a/b" not found');
});

test('the versions told are those that are spoken', async (t) => {
  const { app } = await makeServer(t);
  const version: unknown = (await app.inject('/version')).json();
  const versions = { ApiVersion: '1.51', MinAPIVersion: '1.24' };
  t.match(version, { ...versions, Components: [{ Name: 'Engine', Details: versions }] });
});

test('the contract is served', async (t) => {
  const { app } = await makeServer(t);
  const response = await app.inject('/openapi.json');
  t.match(response.json(), { openapi: '3.1.0' });
});

test('a list reaches its service decoded, and the client whole', async (t) => {
  const row: ContainerSummary = {
    Id: 'abc',
    Names: ['/<a>'],
    Image: 'b',
    ImageID: 'sha256:0',
    Command: 'sh',
    Created: 1,
    Ports: [],
    Labels: {},
    State: 'running',
    Status: 'Up',
    HostConfig: { NetworkMode: 'default' },
    NetworkSettings: { Networks: {} },
    Mounts: [],
  };
  const { app } = await makeServer(t, {
    containers: {
      list: (request) => {
        t.same(request, { all: true, limit: -1, size: false, filters: { label: ['a=b'] } });
        return Promise.resolve([row]);
      },
    },
  });
  const filters = encodeURIComponent('{"label":{"a=b":true}}');
  const response = await app.inject(`/containers/json?all=yes&limit=-1&filters=${filters}`);
  t.same(response.json(), [row]);
  // Go's HTML escaping is off in Docker: so is ours.
  t.match(response.body, '/<a>');
});

test('OPTIONS is answered with nothing', async (t) => {
  const { app } = await makeServer(t);
  t.match(await app.inject({ method: 'OPTIONS', url: '/info' }), { statusCode: 200, body: '' });
});
