/** Hooks of CDI devices, and `--gpus` where GPUs are described as such. */
import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tap, { type Test, test } from 'tap';
import { create, output, run, start, stateOf, until } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';

tap.setTimeout(280_000);

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

/** Hooks that write their name and, if `slow` says so, wait for a file before they do. */
async function followed(t: Test, more: readonly object[] = []): Promise<Place & Followed> {
  const dir = t.testdir();
  const tell = (name: string): string => `cat > ${dir}/state-${name}; echo ${name} >> ${dir}/log`;
  const held = (name: string): string =>
    `echo ${name} begins >> ${dir}/log; until [ -e ${dir}/go ]; do sleep 0.05; done; ${tell(name)}`;
  const hooks = [
    shell('createRuntime', tell('createRuntime')),
    shell('poststart', tell('poststart-0')), shell('poststart', tell('poststart-1')),
    shell('poststop', tell('poststop-0')), shell('poststop', tell('poststop-1')),
  ];
  const place = await begin(t, {
    cdiVersion: '0.6.0', kind: 'vendor.com/device',
    devices: [
      device('plain', ...hooks, ...more),
      device('late', shell('poststart', held('poststart-0')), ...hooks.slice(2)),
      device('last', ...hooks.slice(0, 3), shell('poststop', held('poststop-0')), hooks[4] ?? {}),
    ],
  });
  writeFileSync(join(dir, 'log'), '');
  const log = (): readonly string[] =>
    readFileSync(join(dir, 'log'), 'utf8').split('\n').slice(0, -1);
  return {
    ...place, log, go: () => writeFileSync(join(dir, 'go'), ''),
    state: (name) => JSON.parse(readFileSync(join(dir, `state-${name}`), 'utf8')) as object,
    isNoted: (id) => existsSync(join(place.daemon.execRoot, 'h', id)),
  };
}

interface Followed {
  readonly log: () => readonly string[];
  /** Those that wait go on. */
  readonly go: () => void;
  readonly state: (name: string) => object;
  /** The daemon has not done with its hooks. */
  readonly isNoted: (id: string) => boolean;
}

const sleeper = (name: string) =>
  ({ command: ['sleep', '600'], host: request(`vendor.com/device=${name}`) });

test('hooks follow the start and the end, each time, and a removal waits', needsRoot, async (t) => {
  const place = await followed(t);
  const { daemon, log } = place;
  const id = await run(daemon, sleeper('plain'));
  const once = ['createRuntime', 'poststart-0', 'poststart-1'];
  t.same(log(), once, 'the start is answered after them');
  const { Pid: pid } = await stateOf(daemon, id);
  t.match(place.state('poststart-1'), { id, pid, status: 'running', ociVersion: /^1\./ });
  await daemon.api.post(`/containers/${id}/restart?t=0`);
  const ended = ['poststop-0', 'poststop-1'];
  t.same(log(), [...once, ...ended, ...once], 'the next start comes after the last end');
  await daemon.api.delete(`/containers/${id}?force=1`);
  t.same(log(), [...once, ...ended, ...once, ...ended]);
  t.match(place.state('poststop-1'), { id, status: 'stopped' });
  t.notOk('pid' in place.state('poststop-1'));
  t.notOk(place.isNoted(id));
});

test('a hook that fails after the start ends it, after the end nothing', needsRoot, async (t) => {
  const place = await followed(t, [
    shell('poststart', 'echo why >&2; exit 3'), shell('poststop', 'exit 4'),
  ]);
  t.equal(await refusal(place, request('vendor.com/device=plain')),
    '500 failed to create task for container: OCI runtime create failed: ' +
    'hook poststart[2] /bin/sh: exit status 3: why created');
  t.same(place.log(),
    ['createRuntime', 'poststart-0', 'poststart-1', 'poststop-0', 'poststop-1']);
  t.match(place.daemon.log(), /hook poststop\[2\] \/bin\/sh: exit status 4/);
});

test('hooks follow an end that no daemon has seen, once', needsRoot, async (t) => {
  const { daemon, log, isNoted } = await followed(t);
  const id = await run(daemon, sleeper('plain'));
  const { Pid: pid } = await stateOf(daemon, id);
  await daemon.kill9();
  process.kill(pid, 'SIGKILL');
  const before = ['createRuntime', 'poststart-0', 'poststart-1'];
  t.same(log(), before);
  await daemon.start();
  await until('they have run', () => Promise.resolve(!isNoted(id)));
  t.match(await stateOf(daemon, id), { Status: 'exited', ExitCode: 137 });
  await daemon.kill9();
  await daemon.start();
  t.same(log(), [...before, 'poststop-0', 'poststop-1']);
});

test('a daemon killed between two hooks is followed by the second', needsRoot, async (t) => {
  const place = await followed(t);
  const { daemon, log, isNoted } = place;
  const id = await create(daemon, sleeper('last'));
  await start(daemon, id);
  await daemon.api.post(`/containers/${id}/kill`);
  const begins = () => Promise.resolve(log().at(-1) === 'poststop-0 begins');
  await until('the first runs', begins);
  await daemon.kill9();
  place.go();
  await daemon.start();
  await until('they have run', () => Promise.resolve(!isNoted(id)));
  await until('both have', () => Promise.resolve(log().includes('poststop-0')));
  t.same(log().filter((line) => /^poststop/.test(line)).sort(),
    ['poststop-0', 'poststop-0 begins', 'poststop-1']);
});

test('the next daemon goes on with what follows a start', needsRoot, async (t) => {
  const place = await followed(t);
  const { daemon, log } = place;
  const id = await create(daemon, sleeper('late'));
  const starting = daemon.api.post(`/containers/${id}/start`).catch(() => undefined);
  await until('the first runs', () => Promise.resolve(log().at(-1) === 'poststart-0 begins'));
  await daemon.kill9();
  await starting;
  place.go();
  await daemon.start();
  await until('both have run', () =>
    Promise.resolve(log().includes('poststart-0') && log().includes('poststart-1')));
  t.match(await stateOf(daemon, id), { Status: 'running' });
  t.equal(log().filter((line) => line === 'poststart-0 begins').length, 1);
  await daemon.api.delete(`/containers/${id}?force=1`);
  t.same(log().slice(-2), ['poststop-0', 'poststop-1']);
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
