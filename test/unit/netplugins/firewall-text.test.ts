import { test } from 'tap';
import {
  addElements, deleteElements, networkElements, ownerOf, portElements, replaceTable, tableName,
} from '../../../netplugins/bridge/firewall-text.js';
import type { NetworkSpec, PortMapping } from '../../../netplugins/plugin.js';

const rootId = '0123abcd';
const id = 'ab'.repeat(32);

const network = (overrides: Partial<NetworkSpec> = {}): NetworkSpec => ({
  id, name: 'n', driver: 'bridge', internal: false, options: {}, linkName: 'br-1', mtu: 1500,
  subnets: [{ family: 4, cidr: '10.0.0.0/24', gateway: '10.0.0.1' }],
  ...overrides,
});

const port = (overrides: Partial<PortMapping> = {}): PortMapping => ({
  protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 8080, containerIp: '10.0.0.2', containerPort: 80,
  ...overrides,
});

const keys = (spec: NetworkSpec): readonly string[] =>
  networkElements(rootId, spec).map(({ set, key }) => `${set} ${key}`);

test('a network is in the sets that its options ask for', (t) => {
  t.same(keys(network()), [
    'bridges "br-1"', 'icc "br-1" . "br-1"',
    'subnets4 "br-1" . 10.0.0.0/24', 'masquerade4 10.0.0.0/24',
  ]);
  const off = {
    'com.docker.network.bridge.enable_icc': 'false',
    'com.docker.network.bridge.enable_ip_masquerade': '0',
  };
  t.same(keys(network({ options: off })), ['bridges "br-1"', 'subnets4 "br-1" . 10.0.0.0/24']);
  t.ok(keys(network({ internal: true })).includes('internal "br-1"'));
  t.notOk(keys(network({ internal: true })).some((key) => key.startsWith('masquerade')));
  t.end();
});

test('a port on all addresses and one on a single address lie in different maps', (t) => {
  const elements = portElements(rootId, { id }, [port(), port({ hostIp: '127.0.0.1' })]);
  t.same(elements.map(({ set, key, value }) => [set, key, value]), [
    ['any4', 'tcp . 8080', '10.0.0.2 . 80'],
    ['at4', '127.0.0.1 . tcp . 8080', '10.0.0.2 . 80'],
  ]);
  t.end();
});

test('a mapping between families is none of nft\'s', (t) => {
  t.same(portElements(rootId, { id }, [port({ hostIp: '::' })]), []);
  t.end();
});

test('elements of one set share a command, each with its owner', (t) => {
  const elements = portElements(rootId, { id }, [port(), port({ hostPort: 8081 })]);
  t.equal(addElements(rootId, elements),
    `add element inet tsdocker-0123abcd any4 { tcp . 8080 comment "tsdocker:0123abcd:${id}" : ` +
      `10.0.0.2 . 80, tcp . 8081 comment "tsdocker:0123abcd:${id}" : 10.0.0.2 . 80 }`);
  t.equal(deleteElements(rootId, elements),
    'delete element inet tsdocker-0123abcd any4 { tcp . 8080, tcp . 8081 }');
  t.end();
});

test('the table is replaced in one transaction', (t) => {
  const [first, second] = replaceTable(rootId, []).split('\n');
  t.equal(first, 'add table inet tsdocker-0123abcd');
  t.equal(second, 'delete table inet tsdocker-0123abcd');
  t.end();
});

test('nothing that is not checked enters the text', (t) => {
  const linkName = 'x"; flush ruleset; "';
  t.throws(() => networkElements(rootId, network({ linkName })), RangeError);
  const climbing = port({ hostIp: '::', containerIp: '1 }; x' });
  t.throws(() => portElements(rootId, { id }, [climbing]), RangeError);
  t.throws(() => portElements(rootId, { id }, [port({ hostPort: 0 })]), RangeError);
  t.throws(() => ownerOf(rootId, 'x" y'), RangeError);
  t.throws(() => tableName('x y'), RangeError);
  t.end();
});
