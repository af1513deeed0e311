/** The program that does state, start, kill and delete in C says and does what Node does. */
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import {
  ended, nodeRuntime, ociWorld, ownRuntime, type Ended, type OciProgram, type OciWorld,
} from '../support/oci-bundle.js';

/** Where Node is not to be found, only what the program does itself goes well. */
const alone: OciProgram = { ...ownRuntime, environment: { TSDOCKER_NODE: '/nowhere/node' } };

/** The same container by another way in. */
type Way = (runtime: OciProgram, ...args: readonly string[]) => Promise<Ended>;

interface Scene {
  readonly world: OciWorld;
  readonly by: Way;
  readonly door: string;
}

async function scene(t: Test, script: string): Promise<Scene> {
  const world = await ociWorld(t);
  world.configure((config) => (config.process['args'] = ['sh', '-c', script]));
  const created = world.start(['create', world.id], 'ignore');
  t.match(await ended(created), { code: 0 });
  return {
    world, door: join(world.root, world.id, 'door'),
    by: (runtime, ...args) => {
      const words = [...runtime.command, '--root', world.root, ...args];
      return world.run(words, runtime.environment);
    },
  };
}

const forever = 'while true; do sleep 1; done';
const asNode = { code: 1, stderr: /TSDOCKER_NODE|\/nowhere\/node: No such file/ };

test('state, start, kill and delete need no Node', async (t) => {
  const { world, by } = await scene(t, forever);
  const { id } = world;
  const status = async (): Promise<unknown> =>
    (JSON.parse((await by(alone, 'state', id)).stdout) as Readonly<Record<string, unknown>>)[
      'status'
    ];
  t.equal(await status(), 'created');
  t.match(await by(alone, 'start', id), { code: 0, stdout: '', stderr: '' });
  t.equal(await status(), 'running');
  t.match(await by(alone, 'kill', '--all', id, 'KILL'), { code: 0, stdout: '', stderr: '' });
  t.ok(await world.reach('stopped'));
  t.equal(await status(), 'stopped');
  t.match(await by(alone, 'delete', id), { code: 0, stdout: '', stderr: '' });
  t.equal(existsSync(join(world.root, id)), false);
  t.match(await by(alone, 'delete', '--force', id), { code: 0, stderr: '' });
  t.equal(existsSync(`/sys/fs/cgroup/pids/tsdocker-runtime-${id}`), false);
  t.equal(existsSync(`/sys/fs/cgroup/tsdocker-runtime-${id}`), false);
  t.match(await by(alone, 'list'), asNode, 'and everything else does');
});

test('by force a delete ends all that runs, without Node', async (t) => {
  const { world, by } = await scene(t, `(${forever}) & (${forever}) & ${forever}`);
  t.match(await by(alone, 'start', world.id), { code: 0 });
  t.match(await by(alone, 'delete', '--force', world.id), { code: 0, stderr: '' });
  t.match(await by(alone, 'state', world.id), { code: 1, stderr: /does not exist/ });
  const again = await scene(t, forever);
  t.match(await again.by(alone, 'delete', '--force', again.world.id), { code: 0, stderr: '' });
});

test('both ways in say the same, in every state', async (t) => {
  const { world, by } = await scene(t, forever);
  const { id, folder } = world;
  const log = join(folder, 'log');
  const says = async (runtime: OciProgram, args: readonly string[]): Promise<object> => {
    rmSync(log, { force: true });
    const { stderr, ...said } = await by(runtime, '--log', log, ...args);
    const timeless = (text: string): string => text.replace(/\d{4}-\S+T[\d:]+\.\d{3}Z/, 'TIME');
    const logged = existsSync(log) ? readFileSync(log, 'utf8') : '';
    return { ...said, stderr: timeless(stderr), logged: timeless(logged) };
  };
  const compare = async (state: string, ...all: readonly (readonly string[])[]): Promise<void> => {
    for (const args of all) {
      const [quick, node] = [await says(ownRuntime, args), await says(nodeRuntime, args)];
      t.same(quick, node, `${args.join(' ')}: ${state}`);
    }
  };
  const inAll = [['state', id], ['kill', id, '0'], ['delete', id]];
  await compare(
    'created', ...inAll, ['--log-format', 'json', 'state', `${id}x`],
    ['--log-format=json', 'start', 'x'], ['kill', id, 'NOSUCH'], ['kill', id, '65'],
    ['kill', `${id}x`, '9'], ['delete', `${id}x`], ['delete', '--force', `${id}x`], ['start'],
    ['start', id, 'more'], ['state', '--flag', id], ['state', '../up'], ['delete', ''],
    ['--log-format', 'xml', 'state', id], ['--cgroup-manager', 'no', 'state', id],
    ['--cgroup-manager', 'cgroupfs', 'state', id], ['--systemd-cgroup', 'state', id],
  );
  t.match(await by(alone, 'start', id), { code: 0 });
  await compare('running', ...inAll, ['start', id]);
  t.match(await by(ownRuntime, 'pause', id), { code: 0 });
  await compare('paused', ...inAll, ['start', id]);
  t.match(await by(alone, 'kill', id, 'KILL'), asNode, 'a paused one is Node\'s to kill');
  t.match(await by(ownRuntime, 'kill', id, 'KILL'), { code: 0 }, 'and it dies');
  t.ok(await world.reach('stopped'));
  await compare('stopped', ...inAll.slice(0, 2), ['start', id], ['kill', '--all', id]);
});

test('hooks, failed starts and what is unknown are Node\'s', async (t) => {
  const { world, by } = await scene(t, 'exit 0');
  world.configure((config) => {
    const hook = { path: '/bin/sh', args: ['sh', '-c', `echo x >> ${world.folder}/hooks`] };
    config.hooks = { poststart: [hook], poststop: [hook] };
    config.process['args'] = ['sh', '-c', 'exit 0'];
  });
  const id = `${world.id}-hooks`;
  t.teardown(() => by(ownRuntime, 'delete', '--force', id));
  t.match(await ended(world.start(['create', id], 'ignore')), { code: 0 });
  t.match(await by(alone, 'start', id), asNode);
  t.match(await by(ownRuntime, 'start', id), { code: 0 });
  t.match(await by(alone, 'delete', '--force', id), asNode);
  t.match(await by(ownRuntime, 'delete', '--force', id), { code: 0 });
  t.equal(readFileSync(join(world.folder, 'hooks'), 'utf8'), 'x\nx\n');
  for (const args of [['state', '--x', world.id], ['--debug', 'state', world.id], ['frob']])
    t.match(await by(alone, ...args), asNode, args.join(' '));
});

test('what is not this version\'s, or not whole, is asked of Node', async (t) => {
  const { world, by, door } = await scene(t, forever);
  const whole = readFileSync(door);
  const others: readonly (readonly [string, Buffer])[] = [
    ['another version', Buffer.concat([Buffer.from('tsdoor 2'), whole.subarray(8)])],
    ['cut off', whole.subarray(0, -1)], ['longer', Buffer.concat([whole, Buffer.from('x')])],
    ['empty', Buffer.alloc(0)],
  ];
  for (const [what, bytes] of others) {
    writeFileSync(door, bytes);
    t.match(await by(alone, 'state', world.id), asNode, what);
    t.match(await by(ownRuntime, 'state', world.id), { stdout: /"status": "created"/ }, what);
  }
  rmSync(door);
  t.match(await by(ownRuntime, 'start', world.id), { code: 0 }, 'one of an earlier version');
});

test('another process of the same number is left alone', async (t) => {
  const { world, by, door } = await scene(t, forever);
  const { pid } = await world.state();
  const bytes = readFileSync(door);
  t.equal(bytes.readBigUInt64LE(8), BigInt(Number(pid)));
  bytes.writeBigUInt64LE(bytes.readBigUInt64LE(16) - 1n, 16);
  writeFileSync(door, bytes);
  t.match(await by(alone, 'state', world.id), { code: 0, stdout: /"status": "stopped"/ });
  const killed = await by(alone, 'kill', world.id, 'KILL');
  t.match(killed, { code: 1, stderr: 'container not running\n' });
  t.equal((await by(nodeRuntime, 'state', world.id)).stdout.includes('"created"'), true);
});

test('the program says what it lacks: Node, or its place', async (t) => {
  const { world, by } = await scene(t, forever);
  t.match(await by(alone, 'list'), { code: 1, stderr: '/nowhere/node: No such file or directory' });
  const moved = join(world.folder, 'tsdocker-runtime');
  copyFileSync(ownRuntime.command[0] ?? '', moved);
  const lost = await by({ command: [moved] }, 'list');
  t.match(lost, { code: 1, stderr: /main\.cjs: not found: this program belongs beside it/ });
  const noPath = { ...ownRuntime, environment: { PATH: '/nowhere' } };
  t.match(await by(noPath, 'list', '-q'), { code: 0, stdout: `${world.id}\n` });
});
