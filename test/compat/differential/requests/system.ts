/** System operations, and those of swarm and plugins. */
import { filters, once, type Case } from '../request.js';

const reads: readonly Case[] = [
  once('GET', '/_ping', { version: null }),
  once('HEAD', '/_ping', { version: null }),
  once('GET', '/_ping'),
  once('GET', '/version'),
  once('GET', '/info'),
  once('GET', '/system/df'),
  ...['container', 'image', 'volume', 'build-cache', 'nope', ''].map((type) =>
    once('GET', `/system/df?type=${type}`),
  ),
  once('GET', '/system/df?type=container&type=volume'),
];

const login = { username: 'x', password: 'y', serveraddress: '127.0.0.1:1' };

const auth: readonly Case[] = [
  once('POST', '/auth', { body: {} , says: 'auth of an empty object' }),
  once('POST', '/auth', { body: login }),
  once('POST', '/auth', { body: { ...login, username: 1 } }),
];

const past = 'until=1';

const events: readonly Case[] = [
  once('GET', `/events?${past}`),
  once('GET', '/events', { readMs: 500 }),
  once('GET', '/events?since=5&until=4'),
  once('GET', '/events?since=x'),
  once('GET', '/events?until=x'),
  once('GET', '/events?since=1.5&until=2.5'),
  once('GET', '/events?since=1.x&until=2'),
  once('GET', '/events?since=-1&until=2'),
  once('GET', '/events?since=2020-01-01T00:00:00Z&until=2'),
  once('GET', '/events?since=1h&until=2'),
  ...[
    '', '{}', 'null', '[]', 'x', '{"a":1}', { nope: ['a'] }, { type: ['nope'] },
      { type: ['container'] },
    { event: ['start'] }, { type: 'container' }, { type: { container: true } },
    { type: { container: 'yes' } }, { type: [1] }, { container: ['x'], image: ['y'] },
    { label: ['a=b'], scope: ['local'] }, { daemon: ['x'] }, { network: ['x'], volume: ['y'] },
    { plugin: ['x'], service: ['x'], node: ['x'], secret: ['x'], config: ['x'] },
  ].map((value) => once('GET', `/events?${past}&${filters(value)}`, {
    says: `events with filters ${JSON.stringify(value)}`,
  })),
  {
    name: 'the events of a container',
    on: 'created',
    requests: [
      { method: 'POST', path: '/containers/{own}/start' },
      { method: 'POST', path: '/containers/{own}/rename?name=tsdiff-renamed' },
      { method: 'POST', path: '/containers/{own}/pause' },
      { method: 'POST', path: '/containers/{own}/unpause' },
      { method: 'POST', path: '/containers/{own}/kill?signal=WINCH' },
      { method: 'POST', path: '/containers/{own}/stop' },
      {
        method: 'GET',
        path: `/events?since=1&until=4000000000&${filters({ container: ['tsdiff-own'] })}`,
        readMs: 700,
      },
    ],
  },
];

const swarm: readonly Case[] = [
  ['GET', '/swarm'], ['POST', '/swarm/leave'], ['POST', '/swarm/leave?force=1'], ['GET',
    '/swarm/unlockkey'],
  ['GET', '/nodes'], ['GET', '/nodes/x'], ['DELETE', '/nodes/x'], ['GET', '/services'],
  ['GET', '/services/x'], ['DELETE', '/services/x'], ['GET', '/services/x/logs?stdout=1'],
  ['GET', '/services/x/logs'], ['GET', '/tasks'], ['GET', '/tasks/x'], ['GET',
    '/tasks/x/logs?stdout=1'],
  ['GET', '/secrets'], ['GET', '/secrets/x'], ['DELETE', '/secrets/x'], ['GET', '/configs'],
  ['GET', '/configs/x'], ['DELETE', '/configs/x'], ['GET', `/nodes?${filters({ nope: ['x'] })}`],
  ['GET', `/services?${filters('x')}`],
].map(([method = '', path = '']) => once(method, path));

const swarmBodies: readonly Case[] = [
  '/swarm/join', '/swarm/update?version=1', '/swarm/update', '/swarm/unlock',
    '/nodes/x/update?version=1',
  '/nodes/x/update', '/services/create', '/services/x/update?version=1', '/services/x/update',
  '/secrets/create', '/secrets/x/update?version=1', '/configs/create',
    '/configs/x/update?version=1',
].flatMap((path) => [
  once('POST', path, { body: {} }),
  once('POST', path, { says: `POST ${path} without a body` }),
]);

const plugins: readonly Case[] = [
  ['GET', '/plugins'], ['GET', `/plugins?${filters({ enabled: ['true'] })}`],
  ['GET', `/plugins?${filters({ capability: ['volumedriver'] })}`],
  ['GET', `/plugins?${filters({ nope: ['x'] })}`], ['GET', `/plugins?${filters('x')}`],
  ['GET', `/plugins?${filters({ enabled: ['x'] })}`],
  ['GET', '/plugins/x/json'], ['DELETE', '/plugins/x'], ['POST', '/plugins/x/enable'],
  ['POST', '/plugins/x/disable'], ['POST', '/plugins/x/set'], ['POST', '/plugins/x/push'],
  ['GET', '/plugins/privileges?remote=127.0.0.1:1/x'], ['POST', '/plugins/create'],
].map(([method = '', path = '']) => once(method, path));

/** The cases of this file. */
export const systemCases: readonly Case[] = [
  ...reads, ...auth, ...events, ...swarm, ...swarmBodies, ...plugins,
];
