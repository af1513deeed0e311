import { test } from 'tap';
import type { EndpointSettings } from '../../../api-spec/index.js';
import { checkEndpoint, linkLocalCidr } from '../../../daemon/networks/endpoint-check.js';
import type { NetworkRecord } from '../../../daemon/networks/records.js';

type IPAMConfig = NonNullable<EndpointSettings['IPAMConfig']>;

const network = (more: Partial<NetworkRecord> = {}): NetworkRecord => ({
  spec: {
    id: '1'.repeat(64), name: 'n', driver: 'bridge', internal: false, subnets: [], options: {},
    linkName: 'n', mtu: 1500,
  },
  created: '', attachable: false, configOnly: false, configFrom: '', enableIPv6: false, labels: {},
  ipamDriver: 'default', ipamOptions: null, ipamConfig: null, hasOwnSubnets: true,
  isPredefined: false, pools: [{ subnet: '10.99.7.0/24', gateway: '10.99.7.1', auxiliary: {} }],
  ...more,
});

const predefined = network({ isPredefined: true, hasOwnSubnets: false });

const onlyUser = 'user specified IP address is supported on user defined networks only';
const onlyAlias = 'network-scoped alias is supported only for containers in user defined networks';
const onlyOwn = 'user specified IP address is supported only when connecting to networks with ' +
  'user configured subnets';
const notInside = 'no configured subnet or ip-range contain the IP address';

const heading = 'invalid endpoint settings:\n';

const told = (...faults: readonly string[]) =>
  ({ message: heading + faults.map((fault) => `* ${fault}`).join('\n') });

// Asked of Docker 26.1.
test('all faults of an endpoint are told, in the order in which Docker tells them', (t) => {
  const refused = (on: NetworkRecord, asked: IPAMConfig, ...faults: readonly string[]) =>
    t.throws(() => checkEndpoint(on, { IPAMConfig: asked }),
      faults.length === 1 ? { message: heading + faults.join() } : told(...faults));
  refused(network(), { IPv4Address: '172.17.0.99' }, `${notInside} 172.17.0.99`);
  refused(network(), { IPv4Address: 'x' }, 'invalid IPv4 address: x', `${notInside} x`);
  refused(network(), { IPv4Address: '0.0.0.0' },
    'invalid IPv4 address: 0.0.0.0', `${notInside} 0.0.0.0`);
  refused(network(), { IPv4Address: 'fd00::5' },
    'invalid IPv4 address: fd00::5', `${notInside} fd00::5`);
  refused(network(), { IPv6Address: 'fd00::5' }, onlyOwn);
  refused(network(), { IPv4Address: 'x', IPv6Address: '::' }, 'invalid IPv4 address: x',
    'invalid IPv6 address: ::', `${notInside} x`, onlyOwn);
  refused(network(), { IPv4Address: 'x', LinkLocalIPs: ['y', '0.0.0.0'] },
    'invalid IPv4 address: x', 'invalid link-local IP address: y',
    'invalid link-local IP address: 0.0.0.0', `${notInside} x`);
  refused(predefined, { IPv4Address: '172.17.0.99' }, onlyUser, onlyOwn);
  refused(predefined, { IPv4Address: 'x' }, onlyUser, 'invalid IPv4 address: x', onlyOwn);
  t.throws(
    () => checkEndpoint(predefined, { Aliases: ['a'], IPAMConfig: { IPv6Address: 'x' } }),
    told(onlyUser, onlyAlias, 'invalid IPv6 address: x', onlyOwn));
  t.doesNotThrow(() => checkEndpoint(network(), { IPAMConfig: { IPv4Address: '10.99.7.9' } }));
  t.end();
});

test('an address of the link alone is one, and IPv6 needs a network that has it', (t) => {
  const check = (address: string, on = network()) =>
    () => checkEndpoint(on, { IPAMConfig: { LinkLocalIPs: [address] } });
  for (const address of ['10.4.4.4', '169.255.1.1', 'fd00:99::8']) {
    t.throws(check(address), { message: `invalid link local IP address: ${address}` });
  }
  t.throws(check('fe80::77'), { message: /^invalid link local IP address: fe80::77: .* no IPv6$/ });
  t.doesNotThrow(check('fe80::77', network({ enableIPv6: true })));
  t.doesNotThrow(check('169.254.3.3'));
  t.same(['169.254.3.3', 'fe80::77'].map(linkLocalCidr), ['169.254.3.3/16', 'fe80::77/64']);
  t.end();
});
