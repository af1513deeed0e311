/** Images, networks and volumes. */
import { filters, once, type Case } from '../request.js';
import { baseBody } from '../scene.js';

const json = (cases: readonly (readonly [string, string])[]): readonly Case[] =>
  cases.map(([method, path]) => once(method, path));

const odd: readonly unknown[] = ['x', '{"a":1}', '[]', { nope: ['x'] }, { dangling: ['x'] }];

const imageFilters: readonly unknown[] = [
  ...odd, { reference: ['tsdiff'] }, { reference: ['tsdiff:*'] }, { reference: ['['] },
    { before: ['nope'] }, { before: ['tsdiff:1'], reference: ['tsdiff'] },
  { since: ['nope'] }, { label: ['nope'] }, { 'label!': ['x'], reference: ['tsdiff'] },
    { until: ['x'] }, { until: ['1'] },
    { dangling: { true: true }, label: ['tsdiff'] },
];

const images: readonly Case[] = [
  once('GET', `/images/json?${filters({ reference: ['tsdiff'] })}`),
  ...['shared-size=1', 'digests=1', 'all=1', 'all=x'].map((query) => once('GET',
    `/images/json?${query}&${filters({ reference: ['tsdiff'] })}`)),
  ...imageFilters.map((value) => once('GET', `/images/json?${filters(value)}`,
    { says: `images with filters ${JSON.stringify(value)}` })),
  ...['tsdiff:1', 'tsdiff', 'nope', 'UPPER', 'a b', 'sha256:{image}', '{image}',
    `sha256:${'0'.repeat(64)}`, 'sha256:x', 'docker.io/library/tsdiff:1', 'tsdiff:1:2',
    'tsdiff@sha256:x', ''].flatMap((name) => {
    const at = name.replaceAll(' ', '%20');
    return json([['GET', `/images/${at}/json`], ['GET', `/images/${at}/history`], ['POST',
      `/images/${at}/tag?repo=tsdiff-t&tag=UPPER`], ['POST', `/images/${at}/tag?repo=UPPER`],
      ['POST', `/images/${at}/tag`], ['POST', `/images/${at}/tag?repo=tsdiff-t&tag=a%20b`]]);
  }),
  ...json([
    ['DELETE', '/images/nope'], ['DELETE', '/images/UPPER'], ['DELETE', '/images/{image}'],
      ['DELETE', '/images/tsdiff:nope?force=1'],
    ['POST', '/images/create'], ['POST', '/images/create?fromImage='], ['POST',
      '/images/create?fromImage=UPPER'], ['POST',
      '/images/create?fromImage=x&platform=nope/nope/nope/nope'],
    ['POST', '/images/create?fromSrc=x'], ['POST', '/images/create?fromSrc=-&repo=UPPER'], ['POST',
      '/images/create?fromSrc=-&repo=x&changes=NOPE'], ['POST',
      '/images/create?fromImage=tsdiff&tag=a%20b'],
    ['POST', '/images/load'], ['GET', '/images/nope/get'], ['GET', '/images/get?names=nope'],
      ['GET', '/images/get'],
    ['GET', '/images/search'], ['GET', '/images/search?term='], ['GET', '/distribution/UPPER/json'],
      ['POST', '/images/nope/push'], ['POST', '/images/UPPER/push'],
  ]),
  ...['x', { nope: ['x'] }, { dangling: ['x'] }, { until: ['x'] }].map((value) => once('POST',
    `/images/prune?${filters(value)}`, { says: `images/prune ${JSON.stringify(value)}` })),
  { name: 'a tag, and its removal', requests: [
    { method: 'POST', path: '/images/tsdiff:1/tag?repo=tsdiff-t&tag=2' }, { method: 'GET',
      path: '/images/tsdiff-t:2/json' },
    { method: 'DELETE', path: '/images/tsdiff-t:2', depth: 'values' }, { method: 'DELETE',
      path: '/images/tsdiff-t:2' },
  ] },
];

const name = 'tsdiff-n';

const networkBodies: readonly unknown[] = [
  {}, { Name: '' }, { Name: name }, { Name: 'tsdiff-net' }, { Name: 'bridge' }, { Name: 'host' },
    { Name: 'none' }, { Name: 'default' },
    { Name: 'tsdiff-a b' }, { Name: 'tsdiff-/x' }, { Name: 5 },
  { Name: name, Driver: 'nope' }, { Name: name, Driver: 'bridge' }, { Name: name, Driver: 'host' },
    { Name: name, Driver: 'null' }, { Name: name, Driver: 'overlay' }, { Name: name, Driver: '' },
  { Name: name, Internal: true }, { Name: name, Attachable: true }, { Name: name, Ingress: true },
    { Name: name, Labels: { a: 'b' } }, { Name: name, Labels: null }, { Name: name,
    CheckDuplicate: true },
  { Name: name, Scope: 'swarm' }, { Name: name, Scope: 'nope' }, { Name: name, ConfigOnly: true },
    { Name: name, ConfigFrom: { Network: 'nope' } }, { Name: name, EnableIPv6: true },
  { Name: name, IPAM: {} }, { Name: name, IPAM: { Driver: 'nope' } }, { Name: name,
    IPAM: { Driver: 'default', Options: { a: 'b' } } }, { Name: name, IPAM: { Config: [] } },
    { Name: name, IPAM: { Config: [{}] } },
  { Name: name, IPAM: { Config: [{ Subnet: 'x' }] } }, { Name: name,
    IPAM: { Config: [{ Subnet: '10.99.0.0/24' }] } }, { Name: name,
    IPAM: { Config: [{ Subnet: '10.99.0.5/24' }] } }, { Name: name,
    IPAM: { Config: [{ Subnet: '10.99.0.0/24', Gateway: '10.98.0.1' }] } },
  { Name: name, IPAM: { Config: [{ Subnet: '10.99.0.0/24', Gateway: 'x' }] } }, { Name: name,
    IPAM: { Config: [{ Subnet: '10.99.0.0/24', IPRange: '10.98.0.0/25' }] } }, { Name: name,
    IPAM: { Config: [{ Subnet: '10.99.0.0/24', IPRange: '10.99.0.0/25' }] } },
  { Name: name, IPAM: { Config: [{ Subnet: '10.99.0.0/24',
    AuxiliaryAddresses: { a: '10.98.0.9' } }] } }, { Name: name,
    IPAM: { Config: [{ Gateway: '10.99.0.1' }] } }, { Name: name,
    IPAM: { Config: [{ Subnet: '10.99.0.0/33' }] } }, { Name: name,
    IPAM: { Config: [{ Subnet: '10.99.0.0/24' }, { Subnet: '10.99.0.0/25' }] } },
  { Name: name, Options: { 'com.docker.network.bridge.name': 'tsdiffbr' } }, { Name: name,
    Options: { 'com.docker.network.bridge.name': 'x'.repeat(20) } }, { Name: name,
    Options: { 'com.docker.network.driver.mtu': 'x' } }, { Name: name, Options: { nope: 'x' } },
    { Name: name, Options: { 'com.docker.network.bridge.enable_icc': 'x' } },
  { Name: name, EnableIPv6: true, IPAM: { Config: [{ Subnet: 'fd99::/64' }] } }, { Name: name,
    IPAM: { Config: [{ Subnet: 'fd99::/64' }] } },
];

const connects: readonly unknown[] = [
  {}, { Container: '' }, { Container: 'nope' }, { Container: '{own}' }, { Container: '{own}',
    EndpointConfig: null }, { Container: '{own}', EndpointConfig: { Aliases: ['a'] } },
    { Container: '{own}', EndpointConfig: { IPAMConfig: { IPv4Address: 'x' } } },
  { Container: '{own}', EndpointConfig: { IPAMConfig: { IPv4Address: '10.1.2.3' } } },
    { Container: '{own}', EndpointConfig: { MacAddress: 'x' } }, { Container: '{own}',
    EndpointConfig: { Links: ['tsdiff-running:x'] } }, { Container: 5 },
];

const networks: readonly Case[] = [
  ...[...odd, { name: ['tsdiff-net'] }, { driver: ['nope'] },
    { type: ['builtin'], name: ['bridge'] },
    { type: ['custom'], name: ['tsdiff-net'] }, { type: ['x'] }, { scope: ['local'],
    name: ['tsdiff-net'] }, { scope: ['x'] }, { label: ['nope'] }, { id: ['{network}'] },
    { dangling: ['1'], name: ['tsdiff-net'] }, { dangling: ['1', '0'] }].map((value) =>
    once('GET', `/networks?${filters(value)}`,
      { says: `networks with filters ${JSON.stringify(value)}` })),
  ...json([
    ['GET', '/networks/bridge'], ['GET', '/networks/host'], ['GET', '/networks/none'], ['GET',
      '/networks/tsdiff-net'], ['GET', '/networks/nope'], ['GET', '/networks/tsdiff-net?verbose=1'],
      ['GET', '/networks/tsdiff-net?verbose=x'], ['GET', '/networks/tsdiff-net?scope=local'],
      ['GET', '/networks/tsdiff-net?scope=swarm'], ['GET', '/networks/tsdiff-net?scope=nope'],
    ['GET', '/networks/{network}'], ['DELETE', '/networks/bridge'], ['DELETE', '/networks/host'],
      ['DELETE', '/networks/none'], ['DELETE', '/networks/nope'], ['POST',
      '/networks/nope/connect'], ['GET', '/networks/'],
  ]),
  ...networkBodies.map((body): Case => ({ name: `a network ${JSON.stringify(body)}`, requests: [
    { method: 'POST', path: '/networks/create', body, depth: 'values' }, { method: 'GET',
      path: `/networks/${name}`, depth: 'values' },
    { method: 'DELETE', path: `/networks/${name}` },
  ] })),
  ...['x', { nope: ['x'] }, { until: ['x'] },
    { label: ['tsdiff=nobody'] }].map((value) => once('POST', `/networks/prune?${filters(value)}`,
    { says: `networks/prune ${JSON.stringify(value)}` })),
  ...(['created', 'running', 'exited'] as const).flatMap((on) => ['tsdiff-net', 'bridge', 'host',
    'none'].flatMap((to) =>
    connects.map((body): Case => ({ name: `${JSON.stringify(body)} that is ${on} to ${to}`, on,
      requests: [
      { method: 'POST', path: `/networks/${to}/connect`, body }, { method: 'GET',
        path: '/containers/{own}/json' },
      { method: 'POST', path: `/networks/${to}/connect`, body },
      { method: 'DELETE', path: '/networks/tsdiff-net',
        ...(to === 'tsdiff-net' && { path: '/networks/nope' }) },
      { method: 'POST', path: `/networks/${to}/disconnect`, body }, { method: 'POST',
        path: `/networks/${to}/disconnect`, body: { Container: '{own}', Force: true } },
    ].filter(({ method }) => method !== 'DELETE') })).slice(0,
      to === 'tsdiff-net' ? undefined : 4))),
];

const v = 'tsdiff-v';

const volumes: readonly Case[] = [
  ...[...odd, { name: ['tsdiff-vol'] }, { driver: ['nope'] }, { driver: ['local'],
    name: ['tsdiff-vol'] }, { label: ['nope'] }, { dangling: ['1'], name: ['tsdiff-vol'] },
    { dangling: ['1', '0'] }].map((value) =>
    once('GET', `/volumes?${filters(value)}`,
      { says: `volumes with filters ${JSON.stringify(value)}` })),
  ...[{}, { Name: '' }, { Name: v }, { Name: 'tsdiff-vol' }, { Name: 'a' }, { Name: 'a b' },
    { Name: '/x' }, { Name: 5 }, { Name: v, Driver: 'nope' }, { Name: v, Driver: '' }, { Name: v,
    Labels: null }, { Name: v, Labels: { a: 'b' } }, { Name: v, DriverOpts: { nope: 'x' } },
    { Name: v, DriverOpts: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m' } }, { Name: v,
    DriverOpts: { type: 'tmpfs' } }, { Name: v, DriverOpts: { size: '1m' } }, { Name: v,
    DriverOpts: { o: 'bind' } }, { Name: v, ClusterVolumeSpec: {} }].map((body): Case => ({
    name: `a volume ${JSON.stringify(body)}`, requests: [
      { method: 'POST', path: '/volumes/create', body }, { method: 'GET', path: `/volumes/${v}`,
        depth: 'values' }, { method: 'DELETE', path: `/volumes/${v}` },
    ] })),
  ...json([
    ['GET', '/volumes/nope'], ['DELETE', '/volumes/nope'], ['DELETE', '/volumes/nope?force=1'],
      ['GET', '/volumes/a%20b'], ['PUT', '/volumes/tsdiff-vol'], ['PUT',
      '/volumes/tsdiff-vol?version=1'], ['GET', '/volumes/'],
  ]),
  once('PUT', '/volumes/tsdiff-vol?version=1', { body: {} }),
  ...['x', { nope: ['x'] }, { all: ['x'] }, { label: ['tsdiff=nobody'] },
    { label: ['tsdiff=nobody'], all: ['1'] }].map((value) => once('POST',
    `/volumes/prune?${filters(value)}`, { says: `volumes/prune ${JSON.stringify(value)}` })),
  { name: 'a volume in use', requests: [
    { method: 'POST', path: '/containers/create?name=tsdiff-x', body: { Image: 'tsdiff:1',
      HostConfig: { Binds: [`${v}:/m`] } } },
    { method: 'DELETE', path: `/volumes/${v}` }, { method: 'DELETE',
      path: `/volumes/${v}?force=1` },
  ] },
];

/** Networks without addresses: where a container is by its mode, and to which none can be added. */
const byMode: readonly Case[] = ['host', 'none'].flatMap((mode) => [false, true].map((starts) => ({
  name: `a container of network ${mode}${starts ? ' that runs' : ''} to others`,
  requests: [
    { method: 'POST', path: '/containers/create?name=tsdiff-x',
      body: { ...baseBody, HostConfig: { NetworkMode: mode } } },
    ...(starts ? [{ method: 'POST', path: '/containers/tsdiff-x/start' }] : []),
    ...['host', 'none', 'bridge', 'tsdiff-net'].flatMap((to) => [
      { IPAMConfig: { IPv4Address: 'x' } }, {},
    ].map((EndpointConfig) => ({ method: 'POST', path: `/networks/${to}/connect`,
      body: { Container: 'tsdiff-x', EndpointConfig } }))),
  ],
})));

/** The cases of this file. */
export const objectCases: readonly Case[] = [...images, ...networks, ...byMode, ...volumes];
