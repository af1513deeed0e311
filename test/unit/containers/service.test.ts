import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'tap';
import { invalidParameter } from '../../../api-spec/errors.js';
import type { Containers } from '../../../daemon/containers/index.js';
import { FakeTask, setUp, World } from './fakes.js';

const create = async (
  containers: Containers,
  extra: object = {},
  name = 'box',
): Promise<string> => {
  const body = { Image: 'web', ...extra };
  return (await containers.create({ name, body, apiMinor: 51 })).Id;
};
const stateOf = async (containers: Containers, id: string) =>
  (await containers.inspect(id, { size: false })).State;

test('a container lives: created, running, exited, removed, each told once', async (t) => {
  const { containers, world, actions } = setUp(t);
  const id = await create(containers);
  t.equal((await stateOf(containers, id)).Status, 'created');
  t.equal(await containers.start('box'), 'started');
  t.equal(await containers.start('box'), 'alreadyRunning');
  t.equal((await stateOf(containers, id)).Pid, world.task.pid);
  const { result } = await containers.wait(id, {
    condition: 'not-running',
    signal: new AbortController().signal,
  });
  world.task.end(3);
  t.same(await result, { StatusCode: 3 });
  t.equal((await stateOf(containers, id)).ExitCode, 3);
  t.equal(world.sandboxes.size, 0);
  await containers.remove(id.slice(0, 5), { force: false, volumes: false });
  t.ok(world.tasks[0]?.disposed);
  t.equal(world.rootfs.size, 0);
  await t.rejects(containers.inspect(id, { size: false }), { message: /No such container/ });
  t.same(await actions(), ['create', 'start', 'die', 'destroy']);
});

test('a wait is answered when who has attached was sent the output', async (t) => {
  const { containers, world } = setUp(t);
  const id = await create(containers);
  const conversation = await containers.attach(id, {
    logs: false, stream: true, stdin: false, stdout: true, stderr: true, framing: 'raw',
  });
  const { signal } = new AbortController();
  const client = new PassThrough();
  const conversed = conversation.run(client, signal);
  await containers.start(id);
  const order: string[] = [];
  const waited = async (): Promise<void> => {
    const { result } = await containers.wait(id, { condition: 'not-running', signal });
    await result;
    order.push('waited');
  };
  const early = waited();
  world.task.end(0);
  await delay(20);
  t.equal((await stateOf(containers, id)).Status, 'exited');
  const late = waited();
  await delay(20);
  client.once('data', () => order.push('sent'));
  world.task.output?.push('last words');
  world.task.output?.push(null);
  await Promise.all([conversed, early, late]);
  t.same(order, ['sent', 'waited', 'waited']);
});

test('a client that reads nothing holds a wait back for a moment only', async (t) => {
  const { containers, world } = setUp(t);
  const id = await create(containers);
  const conversation = await containers.attach(id, {
    logs: false, stream: true, stdin: false, stdout: true, stderr: true, framing: 'raw',
  });
  const gone = new AbortController();
  const conversed = conversation.run(new PassThrough(), gone.signal);
  await containers.start(id);
  world.task.end(5);
  const { result } = await containers.wait(id, {
    condition: 'not-running', signal: new AbortController().signal,
  });
  t.same(await result, { StatusCode: 5 });
  gone.abort();
  await conversed;
});

test('stop asks, insists, and tells kill, kill, die, stop', async (t) => {
  const { containers, world, actions } = setUp(t);
  const id = await create(containers);
  await containers.start(id);
  world.task.obeys = [9];
  t.equal(await containers.stop(id, { timeoutSeconds: 0.05 }), 'stopped');
  t.same(world.task.signals, [15, 9]);
  t.equal((await stateOf(containers, id)).ExitCode, 137);
  t.same(await actions(), ['create', 'start', 'kill', 'kill', 'die', 'stop']);
  t.equal(await containers.stop(id, {}), 'alreadyStopped');
});

test('prune spares who has all labels of label!, not who has one', async (t) => {
  const { containers } = setUp(t);
  const [one, both] = await Promise.all([
    create(containers, { Labels: { a: '1' } }, 'one'),
    create(containers, { Labels: { a: '1', b: '' } }, 'both'),
  ]);
  t.match(await containers.prune({ 'label!': ['a=1'] }), { ContainersDeleted: null });
  t.match(await containers.prune({ 'label!': ['a=1', 'b'] }), { ContainersDeleted: [one] });
  t.equal((await stateOf(containers, both)).Status, 'created');
});

test('restart tells kill, die, stop, start, and restart last', async (t) => {
  const { containers, actions } = setUp(t);
  const id = await create(containers);
  await containers.start(id);
  await containers.restart(id, {});
  t.same(await actions(), ['create', 'start', 'kill', 'die', 'stop', 'start', 'restart']);
});

test('inspect, kill and rm -f work while a stop waits for ever', async (t) => {
  const { containers, world } = setUp(t);
  const id = await create(containers);
  await containers.start(id);
  world.task.obeys = [9];
  const stopped = containers.stop(id, { timeoutSeconds: -1 });
  await delay(20);
  t.equal((await stateOf(containers, id)).Status, 'running');
  await containers.remove(id, { force: true, volumes: false });
  t.equal(await stopped, 'stopped');
});

/** How the runtime's errors begin: only what follows says that it was the command's fault. */
const failed = 'failed to create task for container';

test('what is not the command\'s fault has no exit code of a command', async (t) => {
  const { containers, world } = setUp(t);
  const id = await create(containers);
  world.startError = invalidParameter('error gathering device information: no such file');
  await t.rejects(containers.start(id));
  t.equal((await stateOf(containers, id)).ExitCode, 128);
});

test('a start that fails gives everything back, and the reason stays', async (t) => {
  const { containers, world } = setUp(t);
  const id = await create(containers);
  world.startError = invalidParameter(
    `${failed}: exec: "x": executable file not found in $PATH: unknown`);
  await t.rejects(containers.start(id), { message: /executable file not found/ });
  const state = await stateOf(containers, id);
  t.match(state, { Status: 'created', ExitCode: 127, Error: /executable file not found/ });
  t.equal(world.sandboxes.size, 0);
  t.ok(world.task.disposed);
  world.startError = undefined;
  t.equal(await containers.start(id), 'started');
});

test('a create that fails leaves neither name nor folder nor volume', async (t) => {
  const { containers, world, again, actions } = setUp(t);
  world.rootfsError = new Error('no space');
  await t.rejects(create(containers), /no space/);
  world.rootfsError = undefined;
  t.same([...world.volumes.values()], [true]);
  const all = { all: true, limit: 0, size: false, filters: {} };
  t.same(await containers.list(all), []);
  t.same(await again().list(all), [], 'nor a record for the next daemon');
  t.same(await actions(), ['create', 'destroy'], 'it was recorded when its folders were not made');
  await t.resolves(create(containers));
});

test('a name that is taken is a conflict in the words that clients match', async (t) => {
  const { containers } = setUp(t);
  const id = await create(containers);
  await t.rejects(create(containers), {
    kind: 'Conflict',
    message: `Conflict. The container name "/box" is already in use by container "${id}".`,
  });
});

test('a prefix that fits several is refused, an exact name beats it', async (t) => {
  const { containers } = setUp(t);
  const ids = await Promise.all(
    Array.from({ length: 17 }, (_, index) => create(containers, {}, `box${index}`)),
  );
  const first = ids.map((id) => id[0]).find((digit, at, all) => all.indexOf(digit) !== at);
  await t.rejects(containers.inspect(String(first), { size: false }), {
    kind: 'InvalidParameter',
    message: `multiple IDs found with provided prefix: ${first}`,
  });
  t.equal((await containers.inspect('/box3', { size: false })).Id, ids[3]);
});

test('a removal that is of a link only takes no container along', async (t) => {
  const { containers } = setUp(t);
  const id = await create(containers);
  await t.rejects(containers.remove(id, { force: true, volumes: true, link: true }), {
    message: 'Conflict, cannot remove the default link name of the container',
  });
  t.equal((await stateOf(containers, id)).Status, 'created');
});

test('a live container is removed by force only', async (t) => {
  const { containers, world } = setUp(t);
  const id = await create(containers);
  await containers.start(id);
  await t.rejects(containers.remove(id, { force: false, volumes: false }), {
    kind: 'Conflict',
    message: /stop the container before removing or force remove/,
  });
  await containers.remove(id, { force: true, volumes: true });
  t.same(world.task.signals, [9]);
  t.same([...world.volumes.values()], [true]);
});

test('--rm removes it after its exit, and after a start that failed', async (t) => {
  const { containers, world } = setUp(t);
  const removal = async (id: string) =>
    (
      await containers.wait(id, { condition: 'removed', signal: new AbortController().signal })
    ).result;
  const one = await create(containers, { HostConfig: { AutoRemove: true } }, 'one');
  await containers.start(one);
  const removed = removal(one);
  world.task.end(5);
  t.equal((await removed).StatusCode, 5);
  const two = await create(containers, { HostConfig: { AutoRemove: true } }, 'two');
  world.startError = invalidParameter(`${failed}: permission denied`);
  const alsoRemoved = removal(two);
  await t.rejects(containers.start(two));
  t.equal((await alsoRemoved).StatusCode, 126);
});

test('--rm and a removal by force get on', async (t) => {
  const { containers, world } = setUp(t);
  const id = await create(containers, { HostConfig: { AutoRemove: true } });
  await containers.start(id);
  await containers.remove(id, { force: true, volumes: true });
  await delay(20);
  t.same(world.logged, [], 'nobody is told of a conflict');
});

test('a restart policy starts it again; a stop ends that', async (t) => {
  const { containers, world } = setUp(t);
  const id = await create(containers, { HostConfig: { RestartPolicy: { Name: 'always' } } });
  await containers.start(id);
  world.task.end(1);
  await delay(20);
  t.match(await stateOf(containers, id), { Status: 'restarting', Running: true, ExitCode: 1 });
  await delay(150);
  t.equal(world.tasks.length, 2);
  t.equal((await containers.inspect(id, { size: false })).RestartCount, 1);
  await containers.stop(id, {});
  await delay(150);
  t.equal(world.tasks.length, 2);
  t.equal((await stateOf(containers, id)).Status, 'exited');
});

test('who attaches before the start is joined before the gate opens', async (t) => {
  const { containers, world } = setUp(t);
  const id = await create(containers);
  const conversation = await containers.attach(id, {
    logs: false,
    stream: true,
    stdin: false,
    stdout: true,
    stderr: true,
    framing: 'stdcopy',
  });
  await containers.start(id);
  t.equal(world.task.attached, 1);
  t.equal(world.task.runsAtOnce, false);
  const ended = new AbortController();
  const run = conversation.run(new PassThrough(), ended.signal);
  ended.abort();
  await run;
});

test('where nobody waits to be attached, nothing holds up the first instruction', async (t) => {
  const { containers, world } = setUp(t);
  const id = await create(containers);
  await containers.start(id);
  t.equal(world.task.runsAtOnce, true);
});

test('attaching to a paused container is refused in plain words', async (t) => {
  const { containers } = setUp(t);
  const id = await create(containers);
  await containers.start(id);
  await containers.pause(id);
  const request = { logs: false, stream: true, stdin: false, stdout: true, stderr: true } as const;
  await t.rejects(containers.attach('box', { ...request, framing: 'raw' }), {
    kind: 'Conflict',
    message: 'container box is paused, unpause the container before attach',
  });
  await t.rejects(containers.start(id), /cannot start a paused container/);
  await containers.unpause(id);
});

test('list: running ones by default, all by name, state, label and ancestor', async (t) => {
  const { containers } = setUp(t);
  const web = await create(containers, { Labels: { tier: 'front' } }, 'web1');
  await create(containers, {}, 'idle');
  await containers.start(web);
  const names = async (all: boolean, filters: Record<string, string[]> = {}) =>
    (await containers.list({ all, limit: 0, size: false, filters })).flatMap(({ Names }) => Names);
  t.same(await names(false), ['/web1']);
  t.same((await names(true)).sort(), ['/idle', '/web1']);
  t.same(await names(false, { status: ['created'] }), ['/idle']);
  t.same(await names(true, { name: ['^/we'] }), ['/web1']);
  t.same(await names(true, { label: ['tier=front'] }), ['/web1']);
  t.same(await names(true, { ancestor: ['nothing'] }), []);
  t.same(await names(true, { network: ['net1'] }), ['/web1']);
  await t.rejects(names(true, { foo: ['x'] }), { message: "invalid filter 'foo'" });
  await t.rejects(names(true, { status: ['x'] }), { message: "invalid filter 'status=x'" });
  await t.rejects(names(true, { before: ['none'] }), { message: 'No such container: none' });
});

test('after a restart of the daemon: adopted, ended, lost and half-removed ones', async (t) => {
  const { containers, world, again, actions } = setUp(t);
  const ids: Record<string, string> = {};
  for (const name of ['live', 'ended', 'lost', 'idle']) {
    ids[name] = await create(containers, {}, name);
    if (name !== 'idle') await containers.start(name);
  }
  const after = new World();
  after.adopts = ({ name, id }) => {
    if (name === 'live') return { task: new FakeTask(id) };
    if (name === 'ended') {
      return { exit: { exitCode: 9, oomKilled: true, finishedAtMs: Date.now() } };
    }
    return undefined;
  };
  const next = again(after);
  t.match(await next.recover(), { containers: 4, adopted: 1, ended: 2 });
  t.equal((await stateOf(next, 'live')).Status, 'running');
  t.match(await stateOf(next, 'ended'), { Status: 'exited', ExitCode: 9, OOMKilled: true });
  t.match(await stateOf(next, 'lost'), { Status: 'exited', ExitCode: 255, Error: /were gone/ });
  t.equal((await stateOf(next, 'idle')).Status, 'created');
  t.equal(world.tasks.length, 3);
  t.same((await actions()).slice(-3).sort(), ['die', 'die', 'oom']);
});
