import { test } from 'tap';
import type { HostConfig, Mount, MountPoint } from '../../../api-spec/index.js';
import { bindText } from '../../../daemon/volumes/bind-text.js';
import { mountSpec } from '../../../daemon/volumes/mount-spec.js';
import { planMounts, tmpfsSpecs, userSpecs } from '../../../daemon/volumes/plan.js';

const bad = (message: string) => ({ kind: 'InvalidParameter', message });
const point = (Destination: string, more: Partial<MountPoint> = {}): MountPoint => ({
  Type: 'volume', Name: 'data', Source: '/v/data/_data', Destination, Driver: 'local', Mode: 'z',
  RW: true, Propagation: '', ...more,
});
const plan = (
  hostConfig: HostConfig,
  volumes: Readonly<Record<string, object>> = {},
  mounts: readonly MountPoint[] = [],
  mode = '',
) => planMounts({ hostConfig, volumes, from: [{ mounts, mode }] });

test('a bind has a source, a destination and words', (t) => {
  const spec = bindText('/a/../tmp:/y/:ro,rslave', '');
  t.match(spec, {
    type: 'bind', source: '/tmp', destination: '/y', readonly: true, propagation: 'rslave',
    mode: 'ro,rslave', create: true, recursiveReadonly: true,
  });
  t.match(bindText('/tmp:/y', ''), { propagation: 'rprivate', readonly: false, mode: '' });
  t.end();
});

test('a name is a volume, and one path alone an anonymous one', (t) => {
  t.match(bindText('data:/y', ''), { type: 'volume', name: 'data', mode: 'z', copy: true });
  t.match(bindText('data:/y:nocopy,rw', ''), { copy: false, mode: 'nocopy,rw', readonly: false });
  t.match(bindText('/anon', ''), { type: 'volume', name: '', destination: '/anon' });
  t.end();
});

test('bind texts are refused in the words of Docker', (t) => {
  const refused: Readonly<Record<string, string>> = {
    '/tmp:/y:foo': 'invalid mode: foo',
    '/tmp:/y:ro,rw': 'invalid mode: ro,rw',
    '/tmp:/y:cached,delegated': 'invalid mode: cached,delegated',
    ':/y': "invalid volume specification: ':/y'",
    '/tmp:': "invalid volume specification: '/tmp:'",
    '/tmp:/y:ro:x': "invalid volume specification: '/tmp:/y:ro:x'",
    '/tmp:rw': "invalid volume specification: '/tmp:rw'",
    '/tmp:y':
      "invalid volume specification: '/tmp:y': invalid mount config for type \"bind\": " +
      "invalid mount path: 'y' mount path must be absolute",
    '/tmp:/':
      "invalid volume specification: '/tmp:/': invalid mount config for type \"bind\": " +
      "invalid specification: destination can't be '/'",
    'data:/y/../..':
      "invalid volume specification: 'data:/y/../..': invalid mount config for type " +
      "\"volume\": invalid specification: destination can't be '/'",
    '/tmp:/y:nocopy':
      "invalid volume specification: '/tmp:/y:nocopy': invalid mount config for type " +
      '"bind": field VolumeOptions must not be specified',
    'data:/y:shared':
      "invalid volume specification: 'data:/y:shared': invalid mount config for type " +
      '"volume": field BindOptions must not be specified',
  };
  for (const [text, message] of Object.entries(refused)) {
    t.throws(() => bindText(text, ''), bad(message), text);
  }
  t.end();
});

test('mounts are refused in the words of Docker', (t) => {
  const refused: readonly (readonly [Mount, string])[] = [
    [{ Type: 'foo', Target: '/y' }, 'invalid mount config for type "foo": mount type unknown'],
    [{ Target: '/y' }, 'invalid mount config for type "": mount type unknown'],
    [
      { Type: 'bind', Source: '/tmp' },
      'invalid mount config for type "bind": field Target must not be empty',
    ],
    [
      { Type: 'bind', Target: '/y' },
      'invalid mount config for type "bind": field Source must not be empty',
    ],
    [
      { Type: 'bind', Source: 'tmp', Target: '/y' },
      'invalid mount config for type "bind": invalid mount path: ' +
        "'tmp' mount path must be absolute",
    ],
    [
      { Type: 'bind', Source: '/tmp', Target: '/y', VolumeOptions: {} },
      'VolumeOptions must not be specified on mount type "bind"',
    ],
    [
      { Type: 'bind', Source: '/tmp', Target: '/y', BindOptions: { Propagation: 'foo' } },
      'invalid mount config for type "bind": invalid propagation mode: foo',
    ],
    [
      { Type: 'volume', Target: '/y', ReadOnly: true },
      'invalid mount config for type "volume": ' +
        'must not set ReadOnly mode when using anonymous volumes',
    ],
    [
      { Type: 'volume', Source: 'data', Target: '/y', VolumeOptions: { Subpath: '../x' } },
      'invalid mount config for type "volume": subpath must be a relative path within the volume',
    ],
    [
      { Type: 'tmpfs', Source: 'x', Target: '/y' },
      'invalid mount config for type "tmpfs": field Source must not be specified',
    ],
  ];
  for (const [mount, message] of refused) t.throws(() => mountSpec(mount), bad(message), message);
  t.end();
});

test('a tmpfs takes size, mode and options', (t) => {
  const mount = mountSpec({
    Type: 'tmpfs', Target: '/y', ReadOnly: true,
    TmpfsOptions: { SizeBytes: 1048576, Mode: 0o777, Options: [['noexec'], ['uid', '7']] },
  });
  t.match(mount, { options: ['ro', 'size=1048576', 'mode=777', 'noexec', 'uid=7'] });
  t.strictSame(tmpfsSpecs({ Tmpfs: { '/y': 'rw,size=64k', '/z': '' } }).map((s) => s.options), [
    ['rw', 'size=64k'],
    [],
  ]);
  t.throws(() => tmpfsSpecs({ Tmpfs: { '/y': 'foo' } }), bad('invalid tmpfs option ["foo"]'));
  t.throws(() => tmpfsSpecs({ Tmpfs: { y: '' } }), /mount path must be absolute/);
  t.end();
});

test('one destination twice is refused, whoever asks', (t) => {
  const twice: readonly HostConfig[] = [
    { Binds: ['/tmp:/y', '/tmp:/y/'] },
    { Binds: ['/tmp:/y'], Mounts: [{ Type: 'tmpfs', Target: '/y' }] },
    { Binds: ['/tmp:/y'], Tmpfs: { '/y': '' } },
  ];
  for (const config of twice) t.throws(() => userSpecs(config), bad('Duplicate mount point: /y'));
  t.end();
});

test('the user wins over another container, and both over the image', (t) => {
  const image = { '/a': {}, '/b': {}, '/c': {} };
  const planned = plan({ Binds: ['/tmp:/a'] }, image, [point('/a'), point('/b')]);
  t.strictSame(planned.map(({ from }) => from), ['user', 'container', 'image']);
  t.end();
});

test('a volume of the image gives way to a tmpfs', (t) => {
  t.strictSame(plan({ Tmpfs: { '/a': '' } }, { '/a': {} }), []);
  t.end();
});

test('mounts of another container can be made read-only, never writable', (t) => {
  const rw = (mode: string, RW: boolean) => {
    const [first] = plan({}, {}, [point('/a', { RW })], mode);
    return first?.from === 'container' && first.point.RW;
  };
  t.equal(rw('rw', true), true);
  t.strictSame([rw('ro', true), rw('ro,z', true), rw('rw', false)], [false, false, false]);
  t.throws(() => rw('xx', true), bad('invalid mode: xx'));
  t.end();
});
