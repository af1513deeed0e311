import { test } from 'tap';
import { insecureHosts, mayName, reachOf } from '../../../daemon/registry/addresses.js';
import { parseChallenges } from '../../../daemon/registry/challenge.js';
import { basicCredentials } from '../../../daemon/registry/credentials.js';
import { parseManifest } from '../../../daemon/registry/manifest.js';
import {
  choosePlatform,
  parsePlatform,
  platformName,
  satisfies,
} from '../../../daemon/registry/platform.js';
import { errorOfAnswer } from '../../../daemon/registry/registry-error.js';

test('challenges are read as RFC 9110 writes them', (t) => {
  t.same(
    parseChallenges('Bearer realm="https://a/t?x=1,2",service="s",scope="repository:a:pull,push"'),
    [
      {
        scheme: 'bearer',
        parameters: { realm: 'https://a/t?x=1,2', service: 's', scope: 'repository:a:pull,push' },
      },
    ],
  );
  t.same(parseChallenges('Basic realm="a \\"b\\"", Negotiate, Bearer Realm=x'), [
    { scheme: 'basic', parameters: { realm: 'a "b"' } },
    { scheme: 'negotiate', parameters: {} },
    { scheme: 'bearer', parameters: { realm: 'x' } },
  ]);
  t.same(parseChallenges('"nonsense'), []);
  const started = performance.now();
  parseChallenges(`Basic ${'a,='.repeat(100_000)}`);
  t.ok(performance.now() - started < 500);
  t.end();
});

test('credentials', (t) => {
  t.equal(basicCredentials({ auth: Buffer.from('a:b').toString('base64') }), 'YTpi');
  t.equal(basicCredentials({ username: 'a', password: '' }), 'YTo=');
  t.equal(basicCredentials({ username: 'a' }), undefined);
  t.end();
});

test('an address may only name what is no more private than itself', (t) => {
  const reaches = [
    ['8.8.8.8', 'public'],
    ['10.0.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['100.64.0.1', 'private'],
    ['127.0.0.1', 'loopback'],
    ['::1', 'loopback'],
    ['0.0.0.0', 'loopback'],
    ['169.254.169.254', 'linkLocal'],
    ['fe80::1', 'linkLocal'],
    ['fd00::1', 'private'],
    ['::ffff:169.254.169.254', 'linkLocal'],
    ['2606:4700::1', 'public'],
  ] as const;
  for (const [address, reach] of reaches) t.equal(reachOf(address), reach, address);
  t.ok(mayName('public', 'public'));
  t.notOk(mayName('public', 'private'));
  t.notOk(mayName('private', 'loopback'));
  t.ok(mayName('loopback', 'private'));
  t.notOk(mayName('linkLocal', 'linkLocal'));
  t.end();
});

test('TLS is demanded of every host that is not listed', (t) => {
  const hosts = insecureHosts(['r.example:5000', '10.1.0.0/16', 'fd00::/8']);
  for (const host of [
    'r.example:5000',
    '10.1.2.3:80',
    '[fd00::1]:5000',
    '127.9.9.9:1',
    '[::1]',
    'localhost:5000',
  ]) {
    t.ok(hosts.has(host), host);
  }
  for (const host of [
    'r.example',
    'r.example:443',
    '10.2.0.1',
    'x.r.example:5000',
    'docker.io',
    '128.0.0.1',
  ]) {
    t.notOk(hosts.has(host), host);
  }
  t.throws(() => insecureHosts(['10.0.0.0/99']));
  t.end();
});

test('platforms', (t) => {
  t.same(parsePlatform('linux/aarch64'), { os: 'linux', architecture: 'arm64' });
  t.same(parsePlatform('linux/arm64/v8'), { os: 'linux', architecture: 'arm64' });
  t.same(parsePlatform('armhf'), { os: 'linux', architecture: 'arm', variant: 'v7' });
  t.equal(platformName(parsePlatform('linux/arm/6')), 'linux/arm/v6');
  t.throws(() => parsePlatform('foo/bar/baz/q'), {
    message: '"foo/bar/baz/q": cannot parse platform specifier: invalid argument',
  });
  const candidate = (name: string) => ({ name, platform: parsePlatform(name) });
  const choose = (wanted: string, ...names: string[]) =>
    choosePlatform(parsePlatform(wanted), names.map(candidate))?.name;
  t.equal(choose('linux/arm/v7', 'linux/arm/v5', 'linux/arm/v6', 'linux/arm64'), 'linux/arm/v6');
  t.equal(choose('linux/arm/v6', 'linux/arm/v7'), undefined);
  t.equal(choose('linux/amd64', 'linux/386', 'linux/amd64'), 'linux/amd64');
  t.equal(choose('linux/amd64/v3', 'linux/amd64', 'linux/amd64/v2'), 'linux/amd64/v2');
  t.notOk(satisfies(parsePlatform('linux/amd64'), { os: 'unknown', architecture: 'unknown' }));
  t.end();
});

test('refusals of registries are worded as Docker words them', (t) => {
  const cases = [
    [
      404,
      '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}',
      'manifest unknown: manifest unknown',
    ],
    [
      429,
      '{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}',
      'toomanyrequests: slow down',
    ],
    [401, '', 'unauthorized: authentication required'],
    [500, 'oops', 'received unexpected HTTP status: 500 Internal Server Error'],
    [404, 'not found', 'unknown: not found'],
    [400, '{"errors":[]}', 'unknown: {"errors":[]}'],
  ] as const;
  for (const [status, body, message] of cases)
    t.equal(errorOfAnswer(status, body).message, message);
  t.ok(errorOfAnswer(503, '').transient);
  t.ok(errorOfAnswer(429, '').transient);
  t.notOk(errorOfAnswer(404, '').transient);
  t.end();
});

test('an index that is also a manifest is refused', (t) => {
  const type = 'application/vnd.oci.image.index.v1+json';
  const parse = (document: object): unknown =>
    parseManifest(Buffer.from(JSON.stringify(document)), type);
  t.throws(() => parse({ schemaVersion: 2, manifests: [], layers: [] }), {
    message: 'ociindex: expected index but found manifest',
  });
  t.throws(() => parse({ schemaVersion: 1, manifests: [] }), { message: /schema version 1/ });
  t.throws(() => parse({ schemaVersion: 2, manifests: {} }), {
    message: /manifests is not a list/,
  });
  const bad = [
    { digest: `sha256:${'1'.repeat(64)}`, size: 1 },
    { mediaType: 'x', digest: 'sha256:x', size: 1 },
    { mediaType: 'x', digest: `sha256:${'1'.repeat(64)}`, size: -1 },
    { mediaType: 'x', digest: `sha256:${'1'.repeat(64)}`, size: 1e20 },
    'x',
  ];
  for (const entry of bad)
    t.throws(() => parse({ schemaVersion: 2, manifests: [entry] }), {
      message: /^manifest invalid/,
    });
  t.end();
});
