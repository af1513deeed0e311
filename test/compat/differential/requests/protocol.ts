/** What holds for every operation: methods, versions, types of bodies, JSON. */
import { once, type Case } from '../request.js';

const json = { 'Content-Type': 'application/json' };
const create = '/containers/create?name=tsdiff-x';

const methods: readonly Case[] = [
  ...['GET', 'HEAD', 'OPTIONS', 'PUT', 'PATCH', 'DELETE', 'POST'].flatMap((method) => [
    once(method, '/nothing'),
    once(method, '/_ping', { version: null }),
  ]),
  ...['HEAD', 'OPTIONS', 'PUT', 'PATCH', 'POST'].flatMap((method) => [
    once(method, '/info'),
    once(method, '/containers/json'),
    once(method, '/containers/{running}/json'),
  ]),
  once('GET', '/', { version: null }),
  once('GET', '/'),
  once('GET', '/containers'),
  once('GET', '/containers/'),
  once('GET', '/containers/json/'),
  once('GET', '//containers/json'),
  once('GET', '/containers//json'),
  once('GET', '/containers/%2Ftsdiff-running/json'),
  once('GET', '/containers//tsdiff-running/json'),
  once('GET', '/containers/tsdiff%2Drunning/json'),
  once('GET', '/containers/%zz/json'),
  once('GET', '/containers/json?all=%zz'),
  once('HEAD', '/containers/nope/json'),
  once('HEAD', '/containers/nope/archive?path=/'),
  once('GET', '/images/a/b/c/json'),
];

const versions: readonly Case[] = [
  '1.0', '1.11', '1.23', '1.24', '1.30', '1.40', '1.44', '1.45.1', '1', '2.0', '0.9', '1.999',
    '1.x',
  '', 'x', '01.45', '1.045',
].map((version) => ({
  name: `GET /v${version}/_ping`,
  requests: [
    { method: 'GET', path: '/_ping', version },
    { method: 'GET', path: '/containers/nope/json', version },
    { method: 'POST', path: '/containers/nope/start', version },
  ],
}));

const bodies: readonly Case[] = [
  { says: 'a create without a body' },
  { says: 'a create of an empty body', raw: '', headers: json },
  { says: 'a create of null', raw: 'null', headers: json },
  { says: 'a create of {}', raw: '{}', headers: json },
  { says: 'a create of an array', raw: '[]', headers: json },
  { says: 'a create of a string', raw: '"x"', headers: json },
  { says: 'a create of half an object', raw: '{"Image":"tsdiff:1"', headers: json },
  { says: 'a create of words', raw: 'hello', headers: json },
  { says: 'a create of an object and more', raw: '{"Image":"tsdiff:1"} {}', headers: json },
  { says: 'a create of an object and a word', raw: '{"Image":"tsdiff:1"} x', headers: json },
  { says: 'a create of an object and a newline', raw: '{"Image":"tsdiff:1"}\n', headers: json },
  { says: 'a create without a type', raw: '{"Image":"tsdiff:1"}' },
  { says: 'a create as text', raw: '{}', headers: { 'Content-Type': 'text/plain' } },
  { says: 'a create as a form', raw: 'a=b',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' } },
  { says: 'a create of a strange type', raw: '{}', headers: { 'Content-Type': 'x' } },
  { says: 'a create of a broken type', raw: '{}', headers: { 'Content-Type': ';;;' } },
  { says: 'a create of an upper-case type', raw: '{"Image":"tsdiff:1"}',
    headers: { 'Content-Type': 'Application/JSON' } },
  { says: 'a create with a charset', raw: '{"Image":"tsdiff:1"}',
    headers: { 'Content-Type': 'application/json; charset=utf-8' } },
  { says: 'keys of another case',
    raw: '{"image":"tsdiff:1","CMD":["true"],"hostconfig":{"memory":67108864}}', headers: json },
  { says: 'a key twice', raw: '{"Image":"nope","Image":"tsdiff:1"}', headers: json },
  { says: 'unknown keys', raw: '{"Image":"tsdiff:1","Nothing":{"a":[1]}}', headers: json },
  { says: 'a huge number', raw: '{"Image":"tsdiff:1","HostConfig":{"Memory":99999999999999999999}}',
    headers: json },
  { says: 'a fraction', raw: '{"Image":"tsdiff:1","HostConfig":{"Memory":1.5}}', headers: json },
  { says: 'an exponent', raw: '{"Image":"tsdiff:1","HostConfig":{"Memory":1e8}}', headers: json },
].map(({ says, ...more }) => once('POST', create, { says, ...more }));

const emptyBodies: readonly Case[] = [
  once('POST', '/containers/{own}/rename?name=tsdiff-y', { on: 'created', raw: 'x' }),
  once('POST', '/containers/{own}/start', { on: 'created', raw: '{}', headers: json }),
  once('POST', '/containers/{own}/start', { on: 'created', raw: 'null', headers: json }),
  once('POST', '/containers/{own}/start', { on: 'created', raw: '{"a":"bcdef"}', headers: json }),
  once('POST', '/containers/{own}/start', { on: 'created', raw: 'text',
    headers: { 'Content-Type': 'text/plain' } }),
  ...['/containers/{running}/exec', '/networks/create', '/volumes/create',
    '/containers/{running}/update', '/auth', '/commit?container={exited}',
    '/exec/{exec}/start'].flatMap((path) => [
    once('POST', path, { says: `POST ${path} without a body` }),
    once('POST', path, { says: `POST ${path} of an empty body`, raw: '', headers: json }),
    once('POST', path, { says: `POST ${path} of null`, raw: 'null', headers: json }),
    once('POST', path, { says: `POST ${path} of an array`, raw: '[]', headers: json }),
    once('POST', path, { says: `POST ${path} as text`, raw: '{}',
      headers: { 'Content-Type': 'text/plain' } }),
    once('POST', path, { says: `POST ${path} without a type`, raw: '{}' }),
    once('POST', path, { says: `POST ${path} of half an object`, raw: '{"a":', headers: json }),
  ]),
];

/** The cases of this file. */
export const protocolCases: readonly Case[] = [...methods, ...versions, ...bodies, ...emptyBodies];
