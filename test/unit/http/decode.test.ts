import { test } from 'tap';
import {
  ContainerCreateBody,
  NetworkConnectRequest,
  VolumeCreateRequest,
} from '../../../api-spec/index.js';
import { decodeBody } from '../../../daemon/http/decode.js';

const create = (value: unknown) => decodeBody(ContainerCreateBody, JSON.stringify(value));
const refused = (message: string) => ({ kind: 'InvalidParameter', message });

test('the keys of objects match in any case', async (t) => {
  t.same(create({ image: 'a', HOSTCONFIG: { memory: 5 } }), {
    Image: 'a',
    HostConfig: { Memory: 5 },
  });
});

test('the keys of maps are left as they are', async (t) => {
  t.same(create({ Labels: { Image: 'x', image: 'y' } }), { Labels: { Image: 'x', image: 'y' } });
});

test('a null field is as if it were not there', async (t) => {
  t.same(create({ Cmd: null, HostConfig: { MaskedPaths: null, ReadonlyPaths: [] } }), {
    HostConfig: { ReadonlyPaths: [] },
  });
});

test('a null in a map or list is the zero value, as in Go', async (t) => {
  t.same(create({ Labels: { a: null }, Env: [null], ExposedPorts: { '80/tcp': null } }), {
    Labels: { a: '' },
    Env: [''],
    ExposedPorts: { '80/tcp': {} },
  });
});

test('a port that is exposed and not published keeps its null', async (t) => {
  t.same(create({ HostConfig: { PortBindings: { '80/tcp': null } } }), {
    HostConfig: { PortBindings: { '80/tcp': null } },
  });
});

test('unknown keys are passed over', async (t) => {
  t.same(create({ hijack: true, Image: 'a' }), { Image: 'a' });
});

test('a command may be one bare string', async (t) => {
  t.same(create({ Cmd: 'ls', Entrypoint: '' }), { Cmd: ['ls'], Entrypoint: [''] });
});

test('an environment may not be one bare string', async (t) => {
  t.throws(
    () => create({ Env: 'a=b' }),
    refused('invalid JSON: cannot unmarshal string into field Env of type array'),
  );
});

test('nothing is turned into another type', async (t) => {
  const wrong: readonly (readonly [unknown, string])[] = [
    [{ Image: 5 }, 'cannot unmarshal number into field Image of type string'],
    [{ Tty: 'true' }, 'cannot unmarshal string into field Tty of type boolean'],
    [
      { HostConfig: { Memory: '5' } },
      'cannot unmarshal string into field HostConfig.Memory of type int64',
    ],
    [
      { HostConfig: { Memory: 1.5 } },
      'cannot unmarshal number 1.5 into field HostConfig.Memory of type int64',
    ],
    [{ Env: ['a', 5] }, 'cannot unmarshal number into field Env of type string'],
    [{ Labels: ['a'] }, 'cannot unmarshal array into field Labels of type object'],
    [[], 'cannot unmarshal array into body of type object'],
    ['x', 'cannot unmarshal string into body of type object'],
  ];
  for (const [value, message] of wrong) {
    t.throws(() => create(value), refused(`invalid JSON: ${message}`));
  }
});

test('an empty body and null are an empty object', async (t) => {
  for (const text of ['', ' \n', 'null', '{}']) {
    t.same(decodeBody(VolumeCreateRequest, text), {});
  }
});

test('a body that is required may not be empty', async (t) => {
  t.throws(
    () => decodeBody(VolumeCreateRequest, ' ', true),
    refused('invalid JSON: got EOF while reading request body'),
  );
});

test('broken JSON is named as Docker names it', async (t) => {
  const wrong = [
    ['{', 'invalid JSON: unexpected EOF'],
    ['{"Name":"a', 'invalid JSON: unexpected EOF'],
    ['{"Name":"a"', 'invalid JSON: unexpected EOF'],
    ['{} x', 'unexpected content after JSON'],
    ['{}{}', 'unexpected content after JSON'],
    ['{"Name":x}', /^invalid JSON: invalid character/],
  ] as const;
  for (const [text, message] of wrong) {
    t.throws(() => decodeBody(VolumeCreateRequest, text), { kind: 'InvalidParameter', message });
  }
});

test('a key named __proto__ becomes a label and no prototype', async (t) => {
  const body = decodeBody(VolumeCreateRequest, '{"Labels":{"__proto__":"x"},"__proto__":{"a":1}}');
  t.ok(Object.hasOwn(body.Labels ?? {}, '__proto__'));
  t.equal(Object.getPrototypeOf(body), Object.prototype);
  t.equal(Reflect.get(body, 'a'), undefined);
});

test('a null inside an endpoint is dropped too', async (t) => {
  const body = { Container: 'c', EndpointConfig: { IPAMConfig: null, aliases: ['x'] } };
  t.same(decodeBody(NetworkConnectRequest, JSON.stringify(body)), {
    Container: 'c',
    EndpointConfig: { Aliases: ['x'] },
  });
});

test('a deeply nested body is passed over without harm', async (t) => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  t.same(decodeBody(VolumeCreateRequest, `{"x":${deep}}`), {});
});
