import { test } from 'tap';
import {
  addressNumber, addressText, contains, defaultGateway, defaultPoolRanges, freeAddress, freeSubnet,
  overlaps, parseSubnet, subnetText, type AddressPool, type Subnet,
} from '../../../daemon/networks/ipam.js';

function subnet(text: string): Subnet {
  const parsed = parseSubnet(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

const pool = (overrides: Partial<AddressPool> = {}): AddressPool => ({
  subnet: '10.0.0.0/29', gateway: '10.0.0.1', auxiliary: {}, ...overrides,
});

function takeAll(from: AddressPool): readonly string[] {
  const taken = new Set<string>();
  for (;;) {
    const next = freeAddress(from, (address) => taken.has(address));
    if (next === undefined) return [...taken];
    taken.add(next);
  }
}

test('addresses of both families are numbers and back', (t) => {
  for (const address of ['0.0.0.0', '172.17.0.1', '255.255.255.255']) {
    t.equal(addressText(4, addressNumber(address) ?? -1n), address);
  }
  for (const address of ['::', 'fd00::1', '2001:db8::1:0:0:1']) {
    t.equal(addressText(6, addressNumber(address) ?? -1n), address);
  }
  t.equal(addressNumber('1.2.3'), undefined);
  t.end();
});

test('host bits are cut off, and what is no subnet is none', (t) => {
  t.equal(subnetText(subnet('10.1.2.3/16')), '10.1.0.0/16');
  for (const text of ['foo', '10.0.0.0', '10.0.0.0/33', '10.0.0.0/-1', 'fd00::/129', '']) {
    t.equal(parseSubnet(text), undefined, text);
  }
  t.end();
});

test('every address is given once: not the gateway, the network\'s nor the broadcast', (t) => {
  t.same(takeAll(pool()), ['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6']);
  t.end();
});

test('the lowest free address comes first', (t) => {
  t.equal(freeAddress(pool(), (address) => address === '10.0.0.2'), '10.0.0.3');
  t.end();
});

test('a range bounds what is given, and auxiliary addresses are kept', (t) => {
  const auxiliary = { x: '10.0.0.65' };
  const bounded = pool({ subnet: '10.0.0.0/24', range: '10.0.0.64/30', auxiliary });
  t.same(takeAll(bounded), ['10.0.0.64', '10.0.0.66', '10.0.0.67']);
  t.end();
});

test('a subnet of two addresses uses both', (t) => {
  t.same(takeAll(pool({ subnet: '10.0.0.0/31', gateway: '10.0.0.0' })), ['10.0.0.1']);
  t.end();
});

test('subnets overlap when they share an address, and only in one family', (t) => {
  t.ok(overlaps(subnet('10.0.0.0/8'), subnet('10.9.0.0/16')));
  t.notOk(overlaps(subnet('10.0.0.0/16'), subnet('10.1.0.0/16')));
  t.notOk(overlaps(subnet('0.0.0.0/0'), subnet('::/0')));
  t.ok(contains(subnet('10.0.0.0/8'), '10.255.255.255'));
  t.notOk(contains(subnet('10.0.0.0/8'), subnet('10.0.0.0/7')));
  t.end();
});

test('the default pools are walked in order, and end', (t) => {
  const used: Subnet[] = [];
  for (;;) {
    const next = freeSubnet(defaultPoolRanges, used);
    if (next === undefined) break;
    used.push(next);
  }
  t.equal(used.length, 15 + 16);
  t.same(used.slice(0, 2).map(subnetText), ['172.17.0.0/16', '172.18.0.0/16']);
  t.equal(used.slice(-1).map(subnetText).join(), '192.168.240.0/20');
  t.end();
});

test('a subnet that meets one in use is passed over', (t) => {
  const free = freeSubnet(defaultPoolRanges, [subnet('172.17.5.0/24'), subnet('172.18.0.0/15')]);
  t.equal(free === undefined ? '' : subnetText(free), '172.20.0.0/16');
  t.end();
});

test('the gateway is the first address, of the range if there is one', (t) => {
  t.equal(defaultGateway(subnet('10.0.0.0/24')), '10.0.0.1');
  t.equal(defaultGateway(subnet('10.0.0.0/24'), subnet('10.0.0.128/25')), '10.0.0.128');
  t.end();
});
