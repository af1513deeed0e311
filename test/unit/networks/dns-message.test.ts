import { randomBytes } from 'node:crypto';
import { test } from 'tap';
import {
  answers, decodeQuery, decodeResponse, encodeQuery, encodeResponse, recordTypes, reverseAddress,
  type Query,
} from '../../../daemon/networks/dns-message.js';

function query(name: string, type: number = recordTypes.A): Query {
  const decoded = decodeQuery(encodeQuery(7, name, type));
  if (decoded === undefined) throw new Error(name);
  return decoded;
}

test('a query is read with its name in lower case', (t) => {
  t.match(query('Web.Team'), { id: 7, name: 'web.team', type: 1, recursionDesired: true });
  t.end();
});

test('a response echoes the question and carries its records', (t) => {
  const asked = query('web');
  const bytes = encodeResponse(asked, 0, [{ type: 1, address: '172.18.0.2' }], 512);
  t.same(decodeResponse(bytes), { id: 7, code: 0, answers: [{ type: 1, address: '172.18.0.2' }] });
  t.ok(answers(bytes, asked, 7));
  t.notOk(answers(bytes, asked, 8), 'another id');
  t.notOk(answers(bytes, query('other'), 7), 'another question');
  t.end();
});

test('IPv6 addresses and names back are records too', (t) => {
  const six = encodeResponse(query('web', 28), 0, [{ type: 28, address: 'fd00::2' }], 512);
  t.same(decodeResponse(six)?.answers, [{ type: 28, address: 'fd00::2' }]);
  const asked = query('2.0.18.172.in-addr.arpa', 12);
  const back = encodeResponse(asked, 0, [{ type: 12, name: 'web.team' }], 512);
  t.same(decodeResponse(back)?.answers, [{ type: 12, name: 'web.team' }]);
  t.end();
});

test('what does not fit is left out and marked as cut', (t) => {
  const many = Array.from({ length: 50 }, (_, i) => ({ type: 1 as const, address: `10.0.0.${i}` }));
  const bytes = encodeResponse(query('web'), 0, many, 512);
  t.ok(bytes.length <= 512);
  t.equal(bytes.readUInt16BE(2) & 0x0200, 0x0200);
  t.end();
});

test('reverse names stand for addresses', (t) => {
  t.equal(reverseAddress('2.0.18.172.in-addr.arpa'), '172.18.0.2');
  const nibbles = 'fd000000000000000000000000000002'.split('').reverse().join('.');
  t.equal(reverseAddress(`${nibbles}.ip6.arpa`), 'fd00::2');
  t.equal(reverseAddress('web'), undefined);
  t.end();
});

test('responses, other operations and several questions are no queries', (t) => {
  const bytes = encodeQuery(1, 'web', 1);
  const changed = (offset: number, value: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy.writeUInt16BE(value, offset);
    return copy;
  };
  t.equal(decodeQuery(changed(2, 0x8000)), undefined);
  t.equal(decodeQuery(changed(2, 0x2800)), undefined);
  t.equal(decodeQuery(changed(4, 2)), undefined);
  t.end();
});

test('a pointer to itself and names without end are refused', (t) => {
  const header = encodeQuery(1, '', 1).subarray(0, 12);
  const loop = Buffer.concat([header, Buffer.from([0xc0, 12, 0, 1, 0, 1])]);
  t.equal(decodeQuery(loop), undefined);
  const long = encodeQuery(1, Array.from({ length: 10 }, () => 'x'.repeat(60)).join('.'), 1);
  t.equal(decodeQuery(long), undefined);
  t.end();
});

test('no bytes whatever make it throw', (t) => {
  for (let round = 0; round < 2000; round++) {
    const bytes = randomBytes(round % 80);
    decodeQuery(bytes);
    decodeResponse(bytes);
    const nearly = encodeQuery(1, 'web.team', 1);
    nearly[round % nearly.length] = round & 255;
    decodeQuery(nearly);
    decodeResponse(nearly);
  }
  t.pass();
  t.end();
});
