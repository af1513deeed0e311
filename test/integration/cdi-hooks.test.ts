/** Hooks of CDI devices, and `--gpus` where GPUs are described as such. */
import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tap, { type Test, test } from 'tap';
import { create, output } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';

tap.setTimeout(120_000);

const needsRoot = { skip: process.getuid?.() === 0 ? false : 'devices need root' };

interface Place {
  readonly daemon: TestDaemon;
  readonly dir: string;
}

async function begin(t: Test, file: object): Promise<Place> {
  const dir = t.testdir({ cdi: {} });
  writeFileSync(join(dir, 'cdi/vendor.json'), JSON.stringify(file));
  const daemon = await startDaemon(t, { flags: ['--cdi-spec-dir', join(dir, 'cdi')] });
  await importDemoImage(daemon.api);
  return { daemon, dir };
}

const shell = (hookName: string, script: string, more: object = {}) =>
  ({ hookName, path: '/bin/sh', args: ['sh', '-c', script], env: ['WHO=hook'], ...more });

const device = (name: string, ...hooks: readonly object[]) => ({ name, containerEdits: { hooks } });

const request = (...DeviceIDs: readonly string[]) =>
  ({ DeviceRequests: [{ Driver: 'cdi', DeviceIDs }] });

async function refusal({ daemon }: Place, host: object): Promise<string> {
  const id = await create(daemon, { command: ['true'], host });
  const { status, json } = await daemon.api.post(`/containers/${id}/start`);
  const { State: state } = (await daemon.api.get(`/containers/${id}/json`)).json;
  return `${status} ${json.message} ${state.Status}`;
}

test('hooks run where OCI has them run, and find the root by their state', needsRoot, async (t) => {
  const dir = t.testdir({ log: '' });
  const tell = (point: string) =>
    `state=$(cat); echo "${point} $WHO $(readlink /proc/self/ns/uts) $state" >> ${dir}/log; `;
  // As NVIDIA's do: the state names the bundle, whose config names the root.
  const intoRoot = `bundle=$(echo "$state" | tr , "\\n" | grep bundle | cut -d'"' -f4); ` +
    `grep -q '"path":"rootfs"' $bundle/config.json && echo found > $bundle/rootfs/made`;
  const place = await begin(t, {
    cdiVersion: '0.6.0', kind: 'vendor.com/device',
    devices: [device('one',
      shell('createRuntime', tell('createRuntime')),
      shell('createContainer', tell('createContainer') + intoRoot),
      { hookName: 'startContainer', path: '/bin/touch', args: ['touch', '/started'] },
    )],
  });
  const seen = await output(place.daemon, {
    command: ['/bin/sh', '-c', 'readlink /proc/self/ns/uts; cat /made; ls /started'],
    host: request('vendor.com/device=one'),
  });
  const [uts = '', ...rest] = seen.text.trim().split('\n');
  t.same(rest, ['found', '/started']);
  const lines = readFileSync(join(dir, 'log'), 'utf8').trim().split('\n');
  t.same(lines.map((line) => line.split(' ').slice(0, 3)), [
    ['createRuntime', 'hook', readlinkSync('/proc/self/ns/uts')], ['createContainer', 'hook', uts],
  ]);
  for (const line of lines) {
    t.match(JSON.parse(line.split(' ').slice(3).join(' ')), { status: 'creating', pid: Number });
  }
});

test('a hook that fails is the end of the start, and leaves nothing', needsRoot, async (t) => {
  const place = await begin(t, {
    cdiVersion: '0.6.0', kind: 'vendor.com/device',
    devices: [
      device('outside', shell('createRuntime', 'echo why >&2; exit 3')),
      device('inside', shell('createContainer', 'exit 3')),
      device('slow', shell('createContainer', 'sleep 600', { timeout: 1 })),
      device('none', { hookName: 'createContainer', path: '/nowhere/hook' }),
      device('last', { hookName: 'startContainer', path: '/bin/false', args: ['false'] }),
    ],
  });
  const begins = 'failed to create task for container: OCI runtime create failed:';
  const refused = (name: string) => refusal(place, request(`vendor.com/device=${name}`));
  t.equal(await refused('outside'),
    `500 ${begins} hook createRuntime[0] /bin/sh: exit status 3: why created`);
  t.equal(await refused('inside'), `500 ${begins} unable to start container process: ` +
    'hook createContainer[0] /bin/sh: it failed: unknown created');
  t.match(await refused('slow'),
    /^500 .*hook createContainer\[0\] \/bin\/sh: it took longer than its timeout: .* created$/);
  t.match(await refused('none'),
    /^400 .*hook createContainer\[0\] \/nowhere\/hook: no such file or directory.* created$/);
  t.match(await refused('last'), /^500 .*hook startContainer\[0\] \/bin\/false.* created$/);
});

test('--gpus is served by the GPUs that CDI describes', needsRoot, async (t) => {
  const gpu = (name: string) => ({ name, containerEdits: { env: [`GPU_${name}=here`] } });
  const place = await begin(t, {
    cdiVersion: '0.6.0', kind: 'nvidia.com/gpu', devices: ['0', '1', 'all'].map(gpu),
  });
  const seen = async (wish: object): Promise<string> => {
    const host = { DeviceRequests: [{ Driver: '', Capabilities: [['gpu']], ...wish }] };
    const { text } = await output(place.daemon, {
      command: ['/bin/sh', '-c', 'env | grep -o "^GPU_[a-z0-9]*" | sort | tr "\\n" " "'], host,
    });
    return text.trim();
  };
  t.equal(await seen({ Count: -1 }), 'GPU_all');
  t.equal(await seen({ Count: 2 }), 'GPU_0 GPU_1');
  t.equal(await seen({ DeviceIDs: ['1'] }), 'GPU_1');
  t.equal(await seen({ Driver: 'nvidia', Count: 1, Capabilities: [['gpu', 'utility']] }), 'GPU_0');
  const gpus = (wish: object) =>
    ({ DeviceRequests: [{ Driver: '', Capabilities: [['gpu']], ...wish }] });
  t.match(await refusal(place, gpus({ Count: 3 })),
    /^500 CDI device injection failed: unresolvable CDI devices nvidia\.com\/gpu=2 /);
  t.match(await refusal(place, gpus({ Count: 1, DeviceIDs: ['0'] })),
    /^400 cannot set both Count and DeviceIDs on device request /);
});

test('without such GPUs there is nobody to serve --gpus', needsRoot, async (t) => {
  const place = await begin(t, {
    cdiVersion: '0.6.0', kind: 'amd.com/gpu', devices: [{ name: 'all', containerEdits: {} }],
  });
  const make = (wish: object) => place.daemon.api.post('/containers/create', {
    Image: 'tsdocker-demo', HostConfig: { DeviceRequests: [{ Count: -1, ...wish }] },
  });
  for (const [wish, words] of [
    [{ Driver: '', Capabilities: [['tpu']] }, '"" with capabilities: [[tpu]]'],
    [{ Driver: 'nvidia', Capabilities: [['gpu']] }, '"nvidia" with capabilities: [[gpu]]'],
    [{ Driver: 'nope', Capabilities: [['gpu'], ['a', 'b']] },
      '"nope" with capabilities: [[gpu] [a b]]'],
  ] as const) {
    const { status, json } = await make(wish);
    t.equal(`${status} ${json.message}`, `400 could not select device driver ${words}`);
  }
  const { status } = await make({ Driver: '', Capabilities: [['gpu']] });
  t.equal(status, 201, 'AMD\'s are GPUs, too');
});
