import { test } from 'tap';
import {
  embeddedResolvConf, hostsText, isExtraHost, parseResolvConf, reachableServers, resolverFor,
} from '../../../daemon/networks/files.js';

const host = { servers: ['127.0.0.53', '10.0.0.1'], search: ['lan'], options: ['edns0'] };
const none = { servers: [], search: [], options: [] };

test('resolv.conf is read without its comments', (t) => {
  const text = '# x\nnameserver 1.1.1.1 # y\nnameserver nonsense\n' +
    'search a b\noptions ndots:1 rotate\n';
  t.same(parseResolvConf(text), {
    servers: ['1.1.1.1'], search: ['a', 'b'], options: ['ndots:1', 'rotate'],
  });
  t.end();
});

test('the host\'s loopback resolvers are left out; without others Google\'s stand in', (t) => {
  t.same(reachableServers(host.servers), ['10.0.0.1']);
  t.same(reachableServers(['127.0.0.53', '::1']), ['8.8.8.8', '8.8.4.4']);
  t.end();
});

test('what the user says wins over the daemon\'s, and that over the host\'s', (t) => {
  const defaults = { servers: ['9.9.9.9'], search: [], options: [] };
  t.same(resolverFor(host, { Dns: ['1.1.1.1'] }, defaults).servers, ['1.1.1.1']);
  t.same(resolverFor(host, {}, defaults).servers, ['9.9.9.9']);
  t.same(resolverFor(host, {}, none).search, ['lan']);
  t.same(resolverFor(host, { DnsSearch: ['.'] }, none).search, [], 'a dot is no search at all');
  t.end();
});

test('a container with a server of its own asks 127.0.0.11, with ndots:0 unless told', (t) => {
  const wanted = 'nameserver 127.0.0.11\nsearch lan\noptions edns0 ndots:0\n';
  t.match(embeddedResolvConf(host), wanted);
  t.notMatch(embeddedResolvConf({ ...host, options: ['ndots:3'] }), 'ndots:0');
  t.end();
});

test('hosts has loopback, extra hosts, links and the container itself', (t) => {
  const text = hostsText({
    extraHosts: ['db:1.2.3.4', 'six:fd00::1', 'up:host-gateway'],
    hostGateway: '172.17.0.1',
    links: [['172.17.0.3', 'cache', 'abc']],
    own: ['172.17.0.2'],
    hostname: 'web',
    domainname: 'example.test',
  });
  for (const line of [
    '127.0.0.1\tlocalhost', '1.2.3.4\tdb', 'fd00::1\tsix', '172.17.0.1\tup',
    '172.17.0.3\tcache abc', '172.17.0.2\tweb.example.test web',
  ]) {
    t.ok(text.split('\n').includes(line), line);
  }
  t.end();
});

test('extra hosts need a name and an address', (t) => {
  for (const good of ['a:1.2.3.4', 'a:::1', 'a:[::1]', 'a:host-gateway']) {
    t.ok(isExtraHost(good), good);
  }
  for (const bad of ['a', 'a:', ':1.2.3.4', 'a:b', 'a b:1.2.3.4']) t.notOk(isExtraHost(bad), bad);
  t.end();
});
