import { test } from 'tap';
import { parseHostsFile, type RegistryHost } from '../../../daemon/registry/hosts-file.js';

const own = new URL('https://registry.example.com');
const read = (text: string): readonly RegistryHost[] => parseHostsFile(text, own);
const bases = (text: string): string[] => read(text).map(({ base }) => base.href);

test('hosts.toml names the servers in their order, the registry last', (t) => {
  const hosts = read(`
    server = "https://upstream.example.com"

    [host."https://mirror.example.com:5443"]
      capabilities = ["pull"]
      ca = "mirror.pem"
      client = [["client.cert", "client.key"], ["both.pem", ""]]
      skip_verify = true
      [host."https://mirror.example.com:5443".header]
        X-Token = "one"
        Accept-Language = ["de", "en"]
    [host."http://cache.example.com"]
      capabilities = ["pull", "resolve"]
  `);
  t.same(
    hosts.map(({ base, capabilities, isServer }) => [base.href, capabilities, isServer]),
    [
      ['https://mirror.example.com:5443/v2/', ['pull'], false],
      ['http://cache.example.com/v2/', ['pull', 'resolve'], false],
      ['https://upstream.example.com/v2/', ['pull', 'resolve', 'push'], true],
    ],
  );
  t.match(hosts[0], {
    ca: ['mirror.pem'],
    client: [
      { cert: 'client.cert', key: 'client.key' },
      { cert: 'both.pem', key: 'both.pem' },
    ],
    skipVerify: true,
    headers: { 'x-token': 'one', 'accept-language': 'de, en' },
  });
  t.end();
});

test('without a server it is the registry itself, as the fields above all tables say', (t) => {
  const [server, ...rest] = read('ca = ["a.crt", "b.crt"]\nskip_verify = true\n');
  t.same(rest, []);
  t.match(server, { ca: ['a.crt', 'b.crt'], skipVerify: true, isServer: true });
  t.equal(server?.base.href, 'https://registry.example.com/v2/');
  t.end();
});

test('a path stands before /v2/, unless it is the whole one', (t) => {
  t.same(bases('server = "https://h/proxy"'), ['https://h/proxy/v2/']);
  t.same(bases('server = "https://h/proxy/v2"'), ['https://h/proxy/v2/']);
  t.same(bases('server = "https://h/v2/hub"\noverride_path = true'), ['https://h/v2/hub/']);
  t.same(bases('server = "h:5000"'), ['https://h:5000/v2/']);
  t.end();
});

for (const [what, text, reason] of [
  ['what is no TOML', 'server = ', /Invalid TOML/],
  ['an unknown capability', 'capabilities = ["fly"]', /unknown capability "fly"/],
  ['another scheme', 'server = "ftp://h"', /invalid host "ftp:\/\/h"/],
  ['a switch that is none', 'skip_verify = "yes"', /skip_verify is neither true nor false/],
  ['a header that breaks lines', '[header]\nx = "a\\r\\nb"', /invalid header "x"/],
  ['a host that is no table', '[host]\n"https://h" = 1', /host\."https:\/\/h" is no table/],
] as const) {
  test(`refused: ${what}`, (t) => {
    t.throws(() => read(text), { message: reason });
    t.end();
  });
}
