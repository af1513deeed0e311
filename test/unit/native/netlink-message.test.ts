import { test } from 'tap';
import { addressBytes, addressText, macBytes } from '../../../native/netlink/ip-address.js';
import {
  attribute, decodeAcknowledgement, decodeAttributes, decodeMessages, decodeText, encodeMessage,
  nested, textAttribute, wordAttribute,
} from '../../../native/netlink/message.js';
import {
  decodeAddress, decodeLink, decodeRoute, newAddress, newLink, newRoute, setLink,
} from '../../../native/netlink/rtnetlink.js';

test('a message survives the way to bytes and back', (t) => {
  const message = { type: 16, flags: 5, payload: Buffer.from('12345678') };
  const [back] = decodeMessages(encodeMessage(message, 77));
  t.match(back, { type: 16, flags: 5, sequence: 77 });
  t.equal(back?.payload.toString(), '12345678');
  t.end();
});

test('attributes are padded to four bytes, and found again', (t) => {
  const bytes = Buffer.concat([textAttribute(3, 'eth0'), attribute(1, Uint8Array.of(9))]);
  t.equal(bytes.length % 4, 0);
  const found = decodeAttributes(bytes);
  t.equal(decodeText(found.get(3)), 'eth0');
  t.same([...(found.get(1) ?? [])], [9]);
  t.end();
});

test('a nested attribute is found under its plain type', (t) => {
  const inner = decodeAttributes(nested(18, wordAttribute(4, 1500))).get(18);
  t.equal(decodeAttributes(inner ?? Buffer.alloc(0)).get(4)?.readUInt32LE(0), 1500);
  t.end();
});

test('bytes that lie about their length end the list and never run over', (t) => {
  for (const length of [0, 3, 15, 17, 0xffffffff]) {
    const bytes = Buffer.alloc(16);
    bytes.writeUInt32LE(length, 0);
    t.same(decodeMessages(bytes), []);
  }
  const attributes = Buffer.from([200, 0, 1, 0, 1, 2]);
  t.equal(decodeAttributes(attributes).size, 0);
  t.end();
});

test('an error carries its errno and the kernel\'s sentence', (t) => {
  const code = Buffer.alloc(4);
  code.writeInt32LE(-17, 0);
  const payload = Buffer.concat([code, Buffer.alloc(16), textAttribute(1, 'Already there')]);
  const message = { type: 2, flags: 0x300, sequence: 1, payload };
  t.same(decodeAcknowledgement(message), { errno: 17, message: 'Already there' });
  t.same(decodeAcknowledgement({ ...message, flags: 0 }), { errno: 17 });
  t.equal(decodeAcknowledgement({ ...message, type: 16 }), undefined);
  t.end();
});

test('addresses go to bytes and back, IPv6 in its shortest form', (t) => {
  for (const address of ['1.2.3.4', '::', '::1', 'fe80::1', '2001:db8:0:1::5', 'a:b:c:d:e:f:1:2']) {
    t.equal(addressText(addressBytes(address)), address);
  }
  t.equal(addressText(addressBytes('::ffff:1.2.3.4')), '::ffff:102:304');
  t.throws(() => addressBytes('1.2.3'), RangeError);
  t.throws(() => addressBytes('fe80::1%eth0'), RangeError);
  t.throws(() => macBytes('02:42:zz:00:00:00'), RangeError);
  t.end();
});

test('a veth carries its peer, MAC, namespace and master in one message', (t) => {
  const { payload } = newLink({
    kind: 'veth', name: 'veth0', up: true, master: 7,
    peer: { name: 'eth0', mac: '02:42:ac:11:00:02', netnsFd: 42 },
  });
  const outer = decodeAttributes(payload.subarray(16));
  t.equal(outer.get(10)?.readUInt32LE(0), 7);
  const info = decodeAttributes(outer.get(18) ?? Buffer.alloc(0));
  t.equal(decodeText(info.get(1)), 'veth');
  const data = decodeAttributes(info.get(2) ?? Buffer.alloc(0));
  const peer = decodeAttributes((data.get(1) ?? Buffer.alloc(16)).subarray(16));
  t.equal(decodeText(peer.get(3)), 'eth0');
  t.equal(peer.get(1)?.toString('hex'), '0242ac110002');
  t.equal(peer.get(28)?.readUInt32LE(0), 42);
  t.end();
});

test('what is asked of a link reads back as what the kernel would show', (t) => {
  const { payload } = setLink(5, { name: 'br0', alias: 'tsdocker:x', mtuBytes: 1400, up: true });
  t.match(decodeLink(payload), {
    index: 5, name: 'br0', alias: 'tsdocker:x', mtuBytes: 1400, up: true,
  });
  t.end();
});

test('an IPv4 address has its broadcast, and reads back', (t) => {
  const { payload } = newAddress(3, '172.17.0.2/16');
  t.same(decodeAddress(payload), {
    index: 3, cidr: '172.17.0.2/16', isGlobal: true, isPermanent: false,
  });
  t.equal(decodeAttributes(payload.subarray(8)).get(4)?.join('.'), '172.17.255.255');
  t.end();
});

test('a route without destination is the default one', (t) => {
  const four = newRoute({ destination: 'default', gateway: '172.17.0.1', index: 2 });
  t.same(decodeRoute(four.payload), { destination: 'default', gateway: '172.17.0.1', index: 2 });
  const six = newRoute({ destination: 'fd00::/64', index: 2 });
  t.same(decodeRoute(six.payload), { destination: 'fd00::/64', index: 2 });
  t.end();
});
