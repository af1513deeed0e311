/** Operations on the engine itself. */
import { AuthConfig, AuthResponse } from '../auth.js';
import { bool, hijack, json, operation, str, stream, strs } from '../operation.js';
import {
  SystemDataUsageResponse,
  SystemInfo as SystemInfoShape,
  SystemVersion as SystemVersionShape,
} from '../system.js';

export const SystemAuth = operation({
  operationId: 'SystemAuth',
  method: 'POST',
  url: '/auth',
  summary: 'Tries credentials at a registry.',
  since: 24,
  body: { kind: 'json', schema: AuthConfig, required: true },
  answer: json(AuthResponse),
});

export const SystemInfo = operation({
  operationId: 'SystemInfo',
  method: 'GET',
  url: '/info',
  summary: 'Tells about the engine and its host.',
  since: 24,
  answer: json(SystemInfoShape),
});

export const SystemVersion = operation({
  operationId: 'SystemVersion',
  method: 'GET',
  url: '/version',
  summary: 'Tells which version this is, and which API versions it speaks.',
  since: 24,
  answer: json(SystemVersionShape),
});

export const SystemPing = operation({
  operationId: 'SystemPing',
  method: 'GET',
  url: '/_ping',
  summary: 'Says OK; the headers tell the highest API version.',
  since: 24,
  answer: stream('text/plain; charset=utf-8'),
});

export const SystemPingHead = operation({
  operationId: 'SystemPingHead',
  method: 'HEAD',
  url: '/_ping',
  summary: 'As SystemPing, without a body.',
  since: 40,
  answer: stream('text/plain; charset=utf-8'),
});

export const SystemEvents = operation({
  operationId: 'SystemEvents',
  method: 'GET',
  url: '/events',
  summary: 'Tells what happens, as it happens.',
  since: 24,
  query: { since: str, until: str },
  filters: [
    'config',
    'container',
    'daemon',
    'event',
    'image',
    'label',
    'network',
    'node',
    'plugin',
    'scope',
    'secret',
    'service',
    'type',
    'volume',
  ],
  answer: stream('application/json'),
});

export const SystemDataUsage = operation({
  operationId: 'SystemDataUsage',
  method: 'GET',
  url: '/system/df',
  summary: 'Tells what takes how much of the disk.',
  since: 25,
  query: { type: strs, verbose: bool },
  answer: json(SystemDataUsageResponse),
});

export const Session = operation({
  operationId: 'Session',
  method: 'POST',
  url: '/session',
  summary: "Opens a build client's session.",
  since: 31,
  answer: hijack,
});
