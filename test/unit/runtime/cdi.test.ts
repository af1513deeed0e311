import { test } from 'tap';
import { gpuKind, gpuNames } from '../../../daemon/runtime/cdi/gpus.js';
import { parseCdiFile } from '../../../daemon/runtime/cdi/spec-file.js';
import { parseYaml } from '../../../daemon/runtime/cdi/yaml.js';

test('YAML as CDI files have it', (t) => {
  const value = parseYaml(`---
# what nvidia-ctk and others write
cdiVersion: 0.6.0
kind: "vendor.com/class" # a comment
containerEdits:
  env: [A=1, 'B=it''s', "C=\\u0041"]
  mounts:
  - hostPath: /a b/c#d
    options:
      - ro
      -   rbind
  deviceNodes: []
devices:
- name: "0"
  containerEdits: {deviceNodes: [{path: /dev/x, fileMode: 0660, major: 0x10}], env: []}
-
  name: all
  annotations: {}
  empty:
  'quoted key': ~
last: -7
`);
  t.same(value, {
    cdiVersion: '0.6.0', kind: 'vendor.com/class',
    containerEdits: {
      env: ['A=1', "B=it's", 'C=A'],
      mounts: [{ hostPath: '/a b/c#d', options: ['ro', 'rbind'] }],
      deviceNodes: [],
    },
    devices: [
      {
        name: '0',
        containerEdits: {
          deviceNodes: [{ path: '/dev/x', fileMode: 0o660, major: 16 }], env: [],
        },
      },
      { name: 'all', annotations: {}, empty: null, 'quoted key': null },
    ],
    last: -7,
  });
  t.equal(parseYaml(''), null);
  t.same(parseYaml('a: b: c'), { a: 'b: c' }, 'as lenient as it is short');
  t.same(parseYaml('- - a\n  - b\n- c'), [['a', 'b'], 'c']);
  t.end();
});

test('YAML that is more, or none, is refused', (t) => {
  const wrong = [
    'a: &x 1', 'a: *x', 'a: |\n  text', 'a: >-\n  text', 'a: !!str 1', 'a: 1\na: 2', 'a: [b',
    'a: "b', "a: 'b # c",
    'a: 1\n  b: 2', '- a\nb: 1', 'a:\n\t- b', '['.repeat(60), 'a: {b: c', "a: 'x' y",
    Array.from({ length: 60 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n') + ' 1',
  ];
  for (const text of wrong) t.throws(() => parseYaml(text), { name: 'SyntaxError' }, text);
  t.end();
});

test('what a file may say', (t) => {
  const device = { name: 'x', containerEdits: {} };
  const parse = (change: object) =>
    parseCdiFile(JSON.stringify({ kind: 'v.com/c', devices: [device], ...change }), true);
  t.same([...parse({}).devices.keys()], ['x']);
  const hook = (hookName: string, more: object = {}) => ({ hookName, path: '/x', ...more });
  const hooks = [hook('createContainer', { args: ['x', 'y'], timeout: 5 }), hook('poststop')];
  t.match(parse({ containerEdits: { hooks, intelRdt: {} } }).edits, {
    hooks: [
      { point: 'createContainer', path: '/x', args: ['x', 'y'], env: [], timeoutSeconds: 5 },
      { point: 'poststop', path: '/x', args: [], env: [] },
    ],
    unsupported: ['intelRdt'],
  });
  t.match(
    parseCdiFile('kind: v.com/c\ndevices:\n- name: 0\n', false).devices.get('0'), { env: [] });
  const wrong = [
    [{ kind: 'none' }, /invalid kind/], [{ devices: [] }, /no devices/],
    [{ devices: [device, device] }, /twice/], [{ devices: {} }, /devices is no list/],
    [{ devices: [{ name: '../x' }] }, /invalid device name/],
    [{ containerEdits: { env: [1] } }, /env is no text/],
    [{ containerEdits: { deviceNodes: [{}] } }, /path is no text/],
    [{ containerEdits: { deviceNodes: [{ path: '/x', permissions: 'q' }] } }, /permissions/],
    [{ containerEdits: { deviceNodes: [{ path: '/x', uid: -1 }] } }, /uid is no number/],
    [{ containerEdits: { mounts: [{ hostPath: '/x' }] } }, /containerPath is no text/],
    [{ containerEdits: [] }, /is no map/],
    [{ containerEdits: { hooks: [hook('now')] } }, /invalid hookName now/],
    [{ containerEdits: { hooks: [hook('prestart', { path: 'x' })] } }, /hook x is not absolute/],
  ] as const;
  for (const [change, message] of wrong) t.throws(() => parse(change), { message });
  t.end();
});

test('GPUs are those of the first vendor that is there and can do what is asked', (t) => {
  const both = new Set(['nvidia.com/gpu', 'amd.com/gpu']);
  const amd = new Set(['amd.com/gpu']);
  const wish = (Driver: string, ...Capabilities: string[][]) => ({ Driver, Capabilities });
  t.equal(gpuKind(wish('', ['gpu']), both), 'nvidia.com/gpu');
  t.equal(gpuKind(wish('', ['gpu']), amd), 'amd.com/gpu');
  t.equal(gpuKind(wish('', ['gpu', 'utility']), amd), undefined);
  t.equal(gpuKind(wish('', ['tpu'], ['gpu', 'amd']), both), 'amd.com/gpu');
  t.equal(gpuKind(wish('amd', ['gpu']), both), 'amd.com/gpu');
  t.equal(gpuKind(wish('nvidia', ['gpu']), amd), undefined);
  t.equal(gpuKind(wish(''), both), undefined);
  t.equal(gpuKind(wish('', ['gpu']), new Set()), undefined);
  t.same(gpuNames('v.com/gpu', { Count: -1 }), ['v.com/gpu=all']);
  t.same(gpuNames('v.com/gpu', { Count: 2 }), ['v.com/gpu=0', 'v.com/gpu=1']);
  t.same(gpuNames('v.com/gpu', { DeviceIDs: ['GPU-1'] }), ['v.com/gpu=GPU-1']);
  t.same(gpuNames('v.com/gpu', {}), []);
  t.throws(() => gpuNames('v.com/gpu', { Count: 1, DeviceIDs: ['0'] }), {
    message: 'cannot set both Count and DeviceIDs on device request',
  });
  t.end();
});
