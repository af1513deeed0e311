/** The verbs of containers: every parameter, state and way to name one. */
import { filters, once, type Case } from '../request.js';

const names = [
  'nope', 'tsdiff-', 'tsdiff-running', '{running.short}', '{running}x', '..', '%20', 'UPPER',
  '%2Ftsdiff-running',
];

const listFilters: readonly unknown[] = [
  '', '{}', 'null', '[]', 'x', '"x"', '{"a":1}', '{"status":"running"}', { nope: ['x'] },
  { status: ['nope'] }, { status: ['running'] }, { status: { running: true } },
  { status: { running: false } }, { status: ['created', 'exited'] }, { health: ['none'] },
  { health: ['nope'] }, { exited: ['3'] }, { exited: ['x'] }, { 'is-task': ['false'] },
  { 'is-task': ['x'] }, { name: ['tsdiff-r'] }, { name: ['^/tsdiff-running$'] }, { name: ['['] },
  { id: ['{running.short}'] }, { id: ['x'] }, { ancestor: ['tsdiff:1'] }, { ancestor: ['nope'] },
  { ancestor: ['sha256:{image}'] }, { before: ['tsdiff-exited'] }, { before: ['nope'] },
  { since: ['tsdiff-created'] }, { since: ['nope'] }, { volume: ['x'] }, { network: ['bridge'] },
  { network: ['nope'] }, { label: ['tsdiff'] }, { label: ['tsdiff=tsdiff-running'] },
    { publish: ['80'] },
  { publish: ['80-90/tcp'] }, { publish: ['x'] }, { publish: ['80/x'] }, { expose: ['80'] },
  { publish: ['1-3-4'] }, { publish: ['79-80-x'] }, { publish: ['1-x-4'] },
  { publish: [''] }, { publish: ['70000'] }, { publish: ['1-70000'] }, { publish: ['80/'] },
  { publish: ['5-'] }, { publish: ['-5'] }, { publish: ['/tcp'] }, { publish: ['80/udp/x'] },
  { publish: ['9-3/udp'] }, { publish: ['80:90'] }, { expose: ['1_0/tcp'] },
  { expose: ['90-80'] }, { isolation: ['default'] }, { isolation: ['x'] }, { task: ['x'] },
];

const list: readonly Case[] = [
  ...listFilters.map((value) => {
    const mine =
      typeof value === 'object' && value !== null && !('label' in value)
        ? { label: ['tsdiff'], ...value }
        : value;
    return once('GET', `/containers/json?all=1&${filters(mine)}`, {
      says: `a list with filters ${JSON.stringify(value)}`,
    });
  }),
  ...[
    'all=0', 'all=false', 'all=', 'all=x', 'all=1&size=1', 'limit=1', 'limit=0', 'limit=-1',
      'limit=x',
    'limit=99999999999999999999', 'limit=', 'limit=1.5', 'size=x', 'all=1&all=0',
  ].map((query) => once('GET', `/containers/json?${query}&${filters({ label: ['tsdiff'] })}`, {
    says: `a list with ${query}`,
  })),
];

const looks: readonly Case[] = names.flatMap((name) => [
  once('GET', `/containers/${name}/json`),
  once('POST', `/containers/${name}/unpause`),
  once('POST', `/containers/${name}/kill?signal=WINCH`),
  once('POST', `/containers/${name}/kill?signal=foo`),
]).concat(
  ['created', 'running', 'paused', 'exited'].flatMap((stage) => [
    once('GET', `/containers/{${stage}}/json`),
    once('GET', `/containers/{${stage}}/json?size=1`),
    once('GET', `/containers/{${stage}}/json?size=x`),
    once('GET', `/containers/{${stage}}/top`, { depth: 'shape' }),
    once('GET', `/containers/{${stage}}/stats?stream=0&one-shot=1`),
    once('GET', `/containers/{${stage}}/stats?stream=0`),
    once('GET', `/containers/{${stage}}/stats?one-shot=1`, { readMs: 1500 }),
    once('GET', `/containers/{${stage}}/changes`),
    once('GET', `/containers/{${stage}}/logs?stdout=1`, { readMs: 800 }),
    once('GET', `/containers/{${stage}}/logs`),
    once('HEAD', `/containers/{${stage}}/archive?path=/`),
    once('HEAD', `/containers/{${stage}}/archive?path=/nope`),
    once('GET', `/containers/{${stage}}/archive?path=/nope`),
    once('GET', `/containers/{${stage}}/archive?path=`),
    once('GET', `/containers/{${stage}}/archive`),
    once('PUT', `/containers/{${stage}}/archive?path=/nope`, { raw: '' }),
    once('PUT', `/containers/{${stage}}/archive?path=/etc/passwd`, { raw: '' }),
    once('PUT', `/containers/{${stage}}/archive?path=`, { raw: '' }),
    once('PUT', `/containers/{${stage}}/archive?path=/tmp`, { raw: 'no archive at all' }),
  ]),
);

const logs: readonly Case[] = [
  'stdout=1', 'stderr=1', 'stdout=1&stderr=1', 'stdout=0', 'stdout=1&tail=0', 'stdout=1&tail=1',
  'stdout=1&tail=all', 'stdout=1&tail=-1', 'stdout=1&tail=x', 'stdout=1&since=x',
    'stdout=1&since=1',
  'stdout=1&since=1.000000001', 'stdout=1&since=9999999999', 'stdout=1&until=1', 'stdout=1&until=x',
  'stdout=1&since=-1', 'stdout=1&timestamps=1', 'stdout=1&details=1', 'stdout=1&follow=1',
  'stdout=1&since=1h', 'stdout=1&since=2020-01-01',
].map((query) => once('GET', `/containers/{exited}/logs?${query}`));

const top: readonly Case[] = ['aux', '-ef', '-o%20pid', '-o%20cmd', 'nonsense', '--nope', '-ef;ls',
  '-o%20pid%2Cargs'].map(
  (args) => once('GET', `/containers/{running}/top?ps_args=${args}`),
);

const verbs: readonly (readonly [string, readonly string[]])[] = [
  ['start', ['', '?detachKeys=x', '?detachKeys=ctrl-nope', '?checkpoint=x', '?checkpoint-dir=/x']],
  ['stop', ['', '?t=0', '?t=1', '?t=x', '?t=-1', '?signal=KILL', '?signal=nope', '?t=1&signal=9',
    '?t=1.5']],
  ['restart', ['', '?t=0', '?t=x', '?signal=KILL', '?signal=nope']],
  ['kill', ['', '?signal=TERM', '?signal=SIGTERM', '?signal=sigterm', '?signal=15', '?signal=0',
    '?signal=-1', '?signal=65', '?signal=64', '?signal=nope', '?signal=', '?signal=RTMIN+3',
    '?signal=RTMAX', '?signal=WINCH']],
  ['pause', ['']], ['unpause', ['']],
  ['rename', ['', '?name=', '?name=tsdiff-renamed', '?name=/tsdiff-renamed', '?name=tsdiff-running',
    '?name=tsdiff-own', '?name=a', '?name=-x', '?name=a%20b', '?name=%2F', '?name=a/b']],
  ['resize', ['', '?h=10', '?w=10', '?h=10&w=10', '?h=x&w=10', '?h=-1&w=1', '?h=0&w=0',
    '?h=99999999999&w=1', '?h=70000&w=70000']],
];

const stages = ['created', 'running', 'paused', 'exited'] as const;

const acts: readonly Case[] = [
  ...verbs.flatMap(([verb, queries]) => [
    once('POST', `/containers/nope/${verb}${queries[1] ?? ''}`),
    ...stages.flatMap((on) =>
      queries.map((query) => ({
        name: `${verb}${query} of one that is ${on}`,
        on,
        requests: [
          { method: 'POST', path: `/containers/{own}/${verb}${query}` },
          { method: 'GET', path: '/containers/{own}/json' },
        ],
      })),
    ),
  ]),
  ...stages.flatMap((on) =>
    ['', '?force=1', '?force=', '?v=1', '?link=1', '?force=1&v=1', '?force=x',
      '?link=1&force=1'].map((query) =>
      once('DELETE', `/containers/{own}${query}`, { on,
        says: `removal${query} of one that is ${on}` }),
    ),
  ),
  once('DELETE', '/containers/nope'), once('DELETE', '/containers/nope?force=1'),
  once('DELETE', '/containers/nope?link=1'),
];

const waits: readonly Case[] = [
  ...['', '?condition=', '?condition=not-running', '?condition=nope',
    '?condition=NEXT-EXIT'].flatMap((query) => [
    once('POST', `/containers/{exited}/wait${query}`), once('POST',
      `/containers/nope/wait${query}`),
    once('POST', `/containers/{created}/wait${query}`, { readMs: 500 }),
  ]),
  ...['next-exit', 'removed'].map((condition) =>
    once('POST', `/containers/{running}/wait?condition=${condition}`, { readMs: 300 }),
  ),
];

const upgrade = { Connection: 'Upgrade', Upgrade: 'tcp' };

const attaches: readonly Case[] = ['nope', '{created}', '{running}', '{paused}',
  '{exited}'].flatMap((id) =>
  ['?stdout=1&stream=1', '?logs=1&stdout=1', '', '?detachKeys=nope,x&stream=1&stdout=1',
    '?detachKeys=ctrl-1'].flatMap((query) => [
    once('POST', `/containers/${id}/attach${query}`, { readMs: 300 }),
    once('POST', `/containers/${id}/attach${query}`, {
      headers: upgrade, readMs: 300, says: `attach${query} of ${id} with an upgrade`,
    }),
    once('GET', `/containers/${id}/attach/ws${query}`, { readMs: 300 }),
  ]),
);

const updates: readonly Case[] = [
  {}, { Memory: 67108864 }, { Memory: 67108864, MemorySwap: 134217728 }, { Memory: 1 },
    { Memory: -1 },
  { Memory: 'x' }, { Memory: null }, { MemorySwap: -1 }, { MemorySwap: 5 }, { CpuShares: 512 },
  { CpuShares: -1 }, { CpuShares: 1 }, { CpuPeriod: 1 }, { CpuQuota: 1 }, { CpuQuota: 50000,
    CpuPeriod: 100000 },
  { NanoCpus: 500000000 }, { NanoCpus: 1, CpuQuota: 5000 }, { NanoCpus: 1e15 }, { CpusetCpus: '0' },
  { CpusetCpus: '99' }, { CpusetCpus: 'x' }, { CpusetMems: '9' }, { PidsLimit: 10 },
    { PidsLimit: -1 }, { PidsLimit: 0 },
  { BlkioWeight: 1 }, { BlkioWeight: 100 }, { MemoryReservation: 1 },
    { MemoryReservation: 33554432 },
  { KernelMemory: 67108864 }, { RestartPolicy: { Name: 'always' } },
    { RestartPolicy: { Name: 'nope' } },
  { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 } },
  { RestartPolicy: { Name: 'no', MaximumRetryCount: 3 } }, { RestartPolicy: null },
  { RestartPolicy: { Name: '' } }, { Nothing: 1 }, { CpuRealtimeRuntime: 1000 },
].flatMap((body) =>
  (['running', 'created', 'exited'] as const).map((on) => ({
    name: `update ${JSON.stringify(body)} of one that is ${on}`,
    on,
    requests: [
      { method: 'POST', path: '/containers/{own}/update', body },
      { method: 'GET', path: '/containers/{own}/json' },
    ],
  })),
);

const prunes: readonly Case[] = [
  'x', '{"a":1}', { nope: ['x'] }, { label: ['tsdiff=nobody'] }, { until: ['x'] }, { until: ['1',
    '2'] },
  { until: ['1'], label: ['tsdiff=nobody'] }, { 'label!': ['tsdiff'], label: ['tsdiff=nobody'] },
    { dangling: ['1'] },
].map((value) => once('POST', `/containers/prune?${filters(value)}`, {
  says: `a prune with filters ${JSON.stringify(value)}`,
}));

const commits: readonly Case[] = [
  '', '?container=', '?container=nope', '?container={exited}&repo=UPPER',
    '?container={exited}&repo=tsdiff&tag=a%20b',
  '?container={exited}&changes=NOPE', '?container={exited}&changes=RUN%20x',
    '?container={exited}&repo=x:y&tag=z',
].map((query) => once('POST', `/commit${query}`, { body: {}, says: `commit${query}` }));

const misc: readonly Case[] = [
  once('GET', '/containers/nope/export', { readMs: 200 }), once('GET', '/containers/nope/changes'),
  once('GET', '/containers/nope/logs?stdout=1'), once('GET', '/containers/nope/logs'),
  once('GET', '/containers/nope/top'), once('GET', '/containers/nope/stats'),
  once('GET', '/containers/nope/stats?stream=0'), once('POST', '/containers/nope/update',
    { body: {} }),
  once('GET', '/containers/nope/checkpoints'), once('POST', '/containers/nope/checkpoints',
    { body: {} }),
  once('DELETE', '/containers/{exited}/checkpoints/x'), once('POST', '/build/cancel'),
  once('POST', '/build/cancel?id=tsdiff'), once('POST', '/session'),
];

/** The cases of this file. */
export const containerCases: readonly Case[] = [
  ...list, ...looks, ...logs, ...top, ...acts, ...waits, ...attaches, ...updates, ...prunes,
    ...commits, ...misc,
];
