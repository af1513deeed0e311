/** Memory runs out: told while the container lives, in Docker's order. */
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type Test } from 'tap';
import { run, stateOf, until } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';

const host = { Memory: 24 << 20, MemorySwap: 24 << 20 };
/** A child asks for all, and is killed; what its parent does then is up to the test. */
const greedy = '(x=aaaaaaaaaaaaaaaa; while true; do x=$x$x; done)';

async function ready(t: Test): Promise<TestDaemon> {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  return daemon;
}

async function actionsOf({ api }: TestDaemon, id: string): Promise<readonly string[]> {
  const filters = encodeURIComponent(JSON.stringify({ container: [id], type: ['container'] }));
  const end = (Date.now() / 1000).toFixed(3);
  const { text } = await api.get(`/events?since=1&until=${end}&filters=${filters}`);
  return text.trim().split('\n').map((line) =>
    (JSON.parse(line) as { readonly Action: string }).Action);
}

test('it is told at once when a child is killed for memory, and shown', async (t) => {
  const daemon = await ready(t);
  const command = ['sh', '-c', `trap 'exit 5' TERM; ${greedy}; while true; do sleep 0.1; done`];
  const id = await run(daemon, { command, host });
  await until('it is told', async () => (await actionsOf(daemon, id)).includes('oom'));
  t.match(await stateOf(daemon, id), { Status: 'running', OOMKilled: true });
  t.same(await actionsOf(daemon, id), ['create', 'start', 'oom']);

  await daemon.kill9();
  await daemon.start();
  t.match(await stateOf(daemon, id), { Status: 'running', OOMKilled: true });
  await daemon.api.post(`/containers/${id}/stop?t=5`);
  t.match(await stateOf(daemon, id), { Status: 'exited', OOMKilled: true, ExitCode: 5 });
  t.same(await actionsOf(daemon, id), ['create', 'start', 'oom', 'kill', 'die', 'stop'],
    'and once only');
  await daemon.api.post(`/containers/${id}/start`);
  t.equal((await stateOf(daemon, id)).Status, 'running');
});

test('one that ends by it: oom, then die', async (t) => {
  const daemon = await ready(t);
  const command = ['sh', '-c', 'x=aaaaaaaaaaaaaaaa; while true; do x=$x$x; done'];
  const id = await run(daemon, { command, host });
  await until('it has ended', async () => (await stateOf(daemon, id)).Status === 'exited');
  t.match(await stateOf(daemon, id), { OOMKilled: true, ExitCode: 137 });
  t.same(await actionsOf(daemon, id), ['create', 'start', 'oom', 'die']);
});

test('what happened while no daemon was there is told by the next', async (t) => {
  const daemon = await ready(t);
  const command = ['sh', '-c', `sleep 1; ${greedy}; while true; do sleep 0.1; done`];
  const id = await run(daemon, { command, host });
  await daemon.kill9();
  await sleep(3000);
  await daemon.start();
  await until('it is told', async () => (await actionsOf(daemon, id)).includes('oom'));
  t.match(await stateOf(daemon, id), { Status: 'running', OOMKilled: true });
});

test('a new run knows nothing of the last one\'s lack of memory', async (t) => {
  const daemon = await ready(t);
  const command = ['sh', '-c', `test -e /again || { touch /again; ${greedy}; exit 4; }; sleep 60`];
  const id = await run(daemon, { command, host });
  await until('it has ended', async () => (await stateOf(daemon, id)).Status === 'exited');
  t.match(await stateOf(daemon, id), { OOMKilled: true, ExitCode: 4 });
  await daemon.api.post(`/containers/${id}/start`);
  t.match(await stateOf(daemon, id), { Status: 'running', OOMKilled: false });
  await daemon.api.post(`/containers/${id}/kill`);
  t.match(await stateOf(daemon, id), { ExitCode: 137, OOMKilled: false });
});
