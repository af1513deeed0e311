/** Exec: making, starting, looking, in every state. */
import { once, type Case } from '../request.js';

const bodies: readonly unknown[] = [
  {}, { Cmd: null }, { Cmd: [] }, { Cmd: [''] }, { Cmd: 'true' }, { Cmd: 'sh -c true' }, { Cmd: 5 },
    { Cmd: [5] },
  { Cmd: ['true'], User: 'nobody-here' }, { Cmd: ['true'], User: '1000' }, { Cmd: ['true'],
    User: 'user' },
  { Cmd: ['true'], User: 'user:nogroup' }, { Cmd: ['true'], User: ':' }, { Cmd: ['true'], User: 5 },
  { Cmd: ['true'], Env: ['A=B', 'C'] }, { Cmd: ['true'], Env: ['=x'] }, { Cmd: ['true'],
    Env: [''] }, { Cmd: ['true'], Env: 'x' },
  { Cmd: ['true'], WorkingDir: '/tmp' }, { Cmd: ['true'], WorkingDir: 'tmp' }, { Cmd: ['true'],
    WorkingDir: '/nope' },
  { Cmd: ['true'], Privileged: true }, { Cmd: ['true'], Privileged: 'x' }, { Cmd: ['true'],
    Tty: true },
  { Cmd: ['true'], AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: true,
    ConsoleSize: [10, 20] },
  { Cmd: ['true'], ConsoleSize: [10] }, { Cmd: ['true'], ConsoleSize: [1, 2, 3] }, { Cmd: ['true'],
    ConsoleSize: 'x' },
  { Cmd: ['true'], DetachKeys: 'ctrl-p,ctrl-q' }, { Cmd: ['true'], DetachKeys: 'nope' },
    { Cmd: ['true'], DetachKeys: 'ctrl-1' },
  { Cmd: ['true'], Detach: true }, { cmd: ['true'] }, { Cmd: ['nope'], AttachStdout: true },
    { Cmd: ['/etc/passwd'], AttachStdout: true },
    { Cmd: ['/etc'], AttachStdout: true }, { Cmd: ['/etc'] },
  { Cmd: ['sh', '-c', 'exit 5'], AttachStdout: true }, { Cmd: ['sh', '-c', 'kill -9 $$'] },
];

const start = [
  { method: 'GET', path: '/exec/{last}/json' },
  { method: 'POST', path: '/exec/{last}/start', body: { Detach: false, Tty: false } },
  { method: 'GET', path: '/exec/{last}/json', depth: 'values', settles: true },
  { method: 'POST', path: '/exec/{last}/start', body: { Detach: false } },
] as const;

const lives: readonly Case[] = bodies.map((body) => ({
  name: `exec ${JSON.stringify(body)}`,
  requests: [{ method: 'POST', path: '/containers/{running}/exec', body }, ...start],
}));

const states: readonly Case[] = (['created', 'paused', 'exited'] as const).flatMap((stage) => [
  once('POST', `/containers/{${stage}}/exec`, { body: { Cmd: ['true'] } }),
  once('POST', `/containers/{${stage}}/exec`, { body: {} }),
]);

const fresh = { method: 'POST', path: '/containers/{running}/exec', body: { Cmd: ['true'] } };
const freshTty = { ...fresh, body: { Cmd: ['true'], Tty: true } };
const freshLong = { ...fresh, body: { Cmd: ['sleep', '2'] } };

const starts: readonly Case[] = [
  {}, { Detach: true }, { Detach: true, Tty: true }, { Tty: true }, { Detach: 'x' }, { Tty: 1 },
    { ConsoleSize: [1, 2] },
  { Tty: true, ConsoleSize: [10, 20] }, { Tty: true, ConsoleSize: [10] }, { Detach: true,
    ConsoleSize: [1, 2] }, { Nothing: 1 },
].flatMap((body) =>
  [fresh, freshTty].map((made) => ({
    name: `start ${JSON.stringify(body)} of an exec ${JSON.stringify(made.body)}`,
    requests: [
      made,
      { method: 'POST', path: '/exec/{last}/start', body, readMs: 1000 },
      { method: 'POST', path: '/exec/{last}/start', body, readMs: 1000 },
    ],
  })),
);

const rest: readonly Case[] = [
  once('POST', '/containers/nope/exec', { body: { Cmd: ['true'] } }),
  once('POST', '/containers/nope/exec', { body: {} }),
  once('GET', '/exec/nope/json'), once('POST', '/exec/nope/start', { body: {} }),
  once('POST', '/exec/nope/start', { body: { Detach: true } }),
  once('POST', '/exec/nope/resize?h=1&w=1'), once('POST', '/exec/nope/resize'),
  ...[['GET', '/json'], ['POST', '/resize?h=x&w=1'], ['POST', '/resize?h=1'],
    ['POST', '/resize?w=1'], ['POST', '/resize'], ['DELETE', ''], ['GET', '']].map(
    ([method = '', what = '']): Case => ({
      name: `${method} ${what} of an exec that was never started`,
      requests: [fresh, { method, path: `/exec/{last}${what}` }],
    })),
  {
    name: 'an exec that is running',
    requests: [
      freshLong,
      { method: 'POST', path: '/exec/{last}/start', body: { Detach: true } },
      { method: 'GET', path: '/exec/{last}/json' },
      { method: 'POST', path: '/exec/{last}/start', body: { Detach: true } },
      { method: 'POST', path: '/exec/{last}/start', body: {} },
      { method: 'POST', path: '/exec/{last}/resize?h=1&w=1' },
      { method: 'GET', path: '/containers/{running}/json' },
    ],
  },
  {
    name: 'an exec whose container has stopped',
    on: 'running',
    requests: [
      { method: 'POST', path: '/containers/{own}/exec', body: { Cmd: ['true'] } },
      { method: 'POST', path: '/containers/{own}/kill' },
      { method: 'POST', path: '/containers/{own}/wait' },
      { method: 'GET', path: '/exec/{last}/json' },
      { method: 'POST', path: '/exec/{last}/start', body: {} },
    ],
  },
  {
    name: 'an exec whose container is paused',
    on: 'running',
    requests: [
      { method: 'POST', path: '/containers/{own}/exec', body: { Cmd: ['true'] } },
      { method: 'POST', path: '/containers/{own}/pause' },
      { method: 'POST', path: '/exec/{last}/start', body: { Detach: true } },
    ],
  },
];

/** The cases of this file. */
export const execCases: readonly Case[] = [...lives, ...states, ...starts, ...rest];
