import { test } from 'tap';
import { checkEndpointCount, endpointsOf } from '../../../daemon/containers/endpoints.js';

const mac = '02:42:ac:11:00:99';
const ids: Readonly<Record<string, string>> = { abc: 'net', abcdef: 'net' };
const nameOf = (ref: string): string => ids[ref] ?? ref;

test('a container is on the network of its mode, or on those that are named', (t) => {
  const of = (NetworkMode: string, asked = {}) => endpointsOf({ NetworkMode }, {},
    { asked, nameOf });
  t.same(of('bridge'), { bridge: {} });
  t.same(of('bridge', { net: { Aliases: ['a'] } }), { net: { Aliases: ['a'] } });
  t.same(of('bridge', { default: { Aliases: ['a'] } }), { bridge: { Aliases: ['a'] } });
  t.same(of('container:x', { net: {} }), {});
  t.end();
});

test('a network may be named by its id, in the mode or in the endpoints', (t) => {
  const of = (NetworkMode: string, asked = {}) => endpointsOf({ NetworkMode }, {},
    { asked, nameOf });
  t.same(of('net', { abcdef: { Aliases: ['a'] } }), { net: { Aliases: ['a'] } });
  t.same(of('abc', { net: { Aliases: ['a'] } }), { net: { Aliases: ['a'] } });
  t.same(of('abc'), { net: {} });
  t.end();
});

test('a container-wide MAC address is that of the mode\'s network', (t) => {
  const of = (asked: object) => endpointsOf({ NetworkMode: 'net' }, { MacAddress: mac },
    { asked: asked as Record<string, object>, nameOf });
  t.same(of({}), { net: { MacAddress: mac } });
  t.same(of({ net: { MacAddress: mac } }), { net: { MacAddress: mac } });
  t.throws(() => of({ net: { MacAddress: '02:42:ac:11:00:98' } }), /must match the endpoint/);
  t.throws(() => of({ other: {} }), /must match the identity of a network/);
  t.end();
});

test('old clients name one network at most', (t) => {
  t.throws(() => checkEndpointCount({ a: {}, b: {} }, 43), /multiple network endpoints: a, b/);
  t.doesNotThrow(() => checkEndpointCount({ a: {}, b: {} }, 44));
  t.doesNotThrow(() => checkEndpointCount({ a: {} }, 24));
  t.end();
});
