/**
 * Restart policies: how long they wait, what may be done meanwhile, and what a daemon that was
 * killed makes of them. What is expected is what a Docker Engine 26.1 answered.
 */
import { rmSync } from 'node:fs';
import { test, type Test } from 'tap';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerInspectResponse } from '../../api-spec/index.js';
import { run, until } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { removeLeaks } from '../support/leaks.js';

const slow = { timeout: 90_000 };

async function ready(t: Test): Promise<TestDaemon> {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  return daemon;
}

async function inspect({ api }: TestDaemon, id: string): Promise<ContainerInspectResponse> {
  return (await api.get(`/containers/${id}/json`)).json as ContainerInspectResponse;
}

const failing = (Name: string, MaximumRetryCount = 0) => ({
  command: ['sh', '-c', 'exit 3'], host: { RestartPolicy: { Name, MaximumRetryCount } },
});

async function eventsOf({ api }: TestDaemon, id: string) {
  const filters = encodeURIComponent(JSON.stringify({ container: [id], type: ['container'] }));
  const end = (Date.now() / 1000).toFixed(3);
  const { text } = await api.get(`/events?since=1&until=${end}&filters=${filters}`);
  return text.trim().split('\n').map((line) =>
    JSON.parse(line) as { readonly Action: string; readonly timeNano: number });
}

async function actionsOf(daemon: TestDaemon, id: string): Promise<readonly string[]> {
  return (await eventsOf(daemon, id)).map(({ Action }) => Action);
}

/** Runs one that fails, until its next start is some seconds away; the events until then. */
async function waiting(
  daemon: TestDaemon,
): Promise<{ readonly id: string; readonly past: number }> {
  const id = await run(daemon, failing('always'));
  await until('it waits for long', async () => {
    const { State, RestartCount } = await inspect(daemon, id);
    return RestartCount >= 6 && State.Status === 'restarting';
  }, 40_000);
  return { id, past: (await actionsOf(daemon, id)).length };
}

async function asked({ api }: TestDaemon, id: string, verb: string, body?: object) {
  const { status, text } = await api.post(`/containers/${id}/${verb}`, body);
  return `${status} ${text.trim().replaceAll(id, 'ID')}`;
}

test('it waits 100 ms, and twice as long each time; it is counted', slow, async (t) => {
  const daemon = await ready(t);
  const id = await run(daemon, failing('on-failure', 4));
  await until('it has given up', async () =>
    (await inspect(daemon, id)).State.Status === 'exited', 30_000);
  const { RestartCount, State } = await inspect(daemon, id);
  t.same([RestartCount, State.ExitCode], [4, 3]);
  const events = await eventsOf(daemon, id);
  t.same(events.map(({ Action }) => Action),
    ['create', 'start', 'die', ...Array.from({ length: 4 }, () => ['start', 'die']).flat()]);
  const starts = events.filter(({ Action }) => Action === 'start').slice(1);
  const ends = events.filter(({ Action }) => Action === 'die');
  for (const [index, start] of starts.entries()) {
    const waitedMs = (start.timeNano - (ends[index]?.timeNano ?? 0)) / 1e6;
    const least = 100 * 2 ** index;
    t.ok(waitedMs >= least - 5, `${Math.round(waitedMs)} ms of at least ${least}`);
  }
  await daemon.api.post(`/containers/${id}/start`);
  t.ok((await inspect(daemon, id)).RestartCount < 4, 'who starts it by hand counts anew');
});

test('after ten seconds of running it waits as at first', slow, async (t) => {
  const daemon = await ready(t);
  // Five short runs, one that is long enough, and one more that stays.
  const script = 'n=$(cat /n 2>/dev/null || echo 0); echo $((n + 1)) > /n; ' +
    '[ $n = 5 ] && sleep 10.2; [ $n = 6 ] && sleep 1000; exit 3';
  const id = await run(daemon, {
    command: ['sh', '-c', script], host: { RestartPolicy: { Name: 'always' } },
  });
  const actions = (action: string) => async () =>
    (await eventsOf(daemon, id)).filter(({ Action }) => Action === action);
  await until('it has started a seventh time', async () =>
    (await actions('start')()).length === 7, 60_000);
  const [starts, ends] = [await actions('start')(), await actions('die')()];
  const waitedMs = (run: number): number =>
    ((starts[run]?.timeNano ?? 0) - (ends[run - 1]?.timeNano ?? 0)) / 1e6;
  t.ok(waitedMs(5) >= 1595, `after five short runs ${Math.round(waitedMs(5))} ms`);
  // It would be 3200 ms.
  t.ok(waitedMs(6) < 2500, `after a long one ${Math.round(waitedMs(6))} ms`);
  t.equal((await inspect(daemon, id)).RestartCount, 6, 'all are counted');
});

test('while it waits: what is refused, and what is nothing to do', slow, async (t) => {
  const daemon = await ready(t);
  const { id, past } = await waiting(daemon);
  const wait = '{"message":"Container ID is restarting, wait until the container is running"}';
  t.equal(await asked(daemon, id, 'pause'), `409 ${wait}`);
  t.equal(await asked(daemon, id, 'exec', { Cmd: ['true'] }), `409 ${wait}`);
  t.equal((await daemon.api.get(`/containers/${id}/top`)).status, 409);
  t.equal(await asked(daemon, id, 'unpause'), '500 {"message":"Container ID is not paused"}');
  t.equal(await asked(daemon, id, 'start'), '304 ');
  const removal = await daemon.api.delete(`/containers/${id}`);
  t.equal(removal.status, 409);
  t.match(removal.text, /container is restarting: stop the container before removing or force/);
  t.same((await actionsOf(daemon, id)).slice(past), []);
  t.match((await inspect(daemon, id)).State, { Running: true, Restarting: true, ExitCode: 3 });
  t.equal((await daemon.api.delete(`/containers/${id}?force=1`)).status, 204);
  t.same((await actionsOf(daemon, id)).slice(past), ['destroy']);
});

const ending = [['stop', ['stop']], ['kill', []], ['kill?signal=USR1', []]] as const;
for (const [verb, events] of ending) {
  test(`${verb} while it waits: it starts no more, and who waits is told`, slow, async (t) => {
    const daemon = await ready(t);
    const { id, past } = await waiting(daemon);
    const waited = daemon.api.post(`/containers/${id}/wait`, undefined, { timeoutMs: 30_000 });
    await sleep(50);
    t.equal(await asked(daemon, id, verb), '204 ');
    t.same((await waited).json, { StatusCode: 3 });
    t.match((await inspect(daemon, id)).State, { Status: 'exited', ExitCode: 3 });
    await sleep(500);
    t.same((await actionsOf(daemon, id)).slice(past), events);
    t.equal((await inspect(daemon, id)).State.Status, 'exited');
  });
}

test('another policy while it waits counts from its next end on', slow, async (t) => {
  const daemon = await ready(t);
  const { id, past } = await waiting(daemon);
  await asked(daemon, id, 'update', { RestartPolicy: { Name: 'no' } });
  t.equal((await inspect(daemon, id)).State.Status, 'restarting');
  await until('it has ended for good', async () =>
    (await inspect(daemon, id)).State.Status === 'exited', 30_000);
  t.same((await actionsOf(daemon, id)).slice(past), ['update', 'start', 'die']);
});

test('a daemon that was killed goes on with it; a stop before that is a stop', slow, async (t) => {
  const daemon = await ready(t);
  const { id } = await waiting(daemon);
  const command = ['sh', '-c', 'trap "" TERM; while true; do sleep 0.1; done'];
  const stubborn = await run(daemon, {
    command, host: { RestartPolicy: { Name: 'unless-stopped' } },
  });
  const stopped = await run(daemon, { ...failing('unless-stopped'), command: ['sleep', '60'] });
  const always = await run(daemon, { ...failing('always'), command: ['sleep', '60'] });
  await Promise.all([stopped, always].map((each) => asked(daemon, each, 'stop?t=0')));
  const stopping = asked(daemon, stubborn, 'stop?t=60').catch(() => 'cut off');
  await sleep(300);
  const { Pid } = (await inspect(daemon, stubborn)).State;
  const { RestartCount } = await inspect(daemon, id);
  await daemon.kill9();
  await stopping;
  process.kill(Pid, 'SIGKILL');
  await daemon.start();
  await until('it is restarted again', async () => {
    const found = await inspect(daemon, id);
    return found.RestartCount > RestartCount || found.State.Status === 'running';
  });
  t.equal((await inspect(daemon, stubborn)).State.Status, 'exited', 'it was being stopped');
  t.equal((await inspect(daemon, stopped)).State.Status, 'exited');
  await until('always is always', async () =>
    (await inspect(daemon, always)).State.Status === 'running');
});

/** As after a power cut: no process, no group, no link, and nothing of what lies in /run. */
async function powerCut(daemon: TestDaemon): Promise<void> {
  await daemon.kill9();
  removeLeaks(daemon);
  rmSync(daemon.execRoot, { recursive: true });
}

test('a host that went down comes back as its policies want it', slow, async (t) => {
  const daemon = await ready(t);
  const command = ['sleep', '600'];
  const named = (Name: string, more = {}) => run(daemon, { command,
    host: { RestartPolicy: { Name, MaximumRetryCount: 0 }, ...more } });
  const again = await Promise.all(['always', 'unless-stopped', 'on-failure'].map((name) =>
    named(name)));
  const ended = await named('no');
  const paused = await named('no');
  const removed = await named('no', { AutoRemove: true });
  const stopped = await named('unless-stopped');
  const wasOk = await run(daemon, { ...failing('on-failure'), command: ['true'] });
  t.match(await asked(daemon, paused, 'pause'), /^204/);
  t.match(await asked(daemon, stopped, 'stop?t=0'), /^204/);
  await until('it has ended well', async () =>
    (await inspect(daemon, wasOk)).State.Status === 'exited');
  await powerCut(daemon);
  await daemon.start();
  for (const id of again) {
    await until(`${id} runs again`, async () =>
      (await inspect(daemon, id)).State.Status === 'running');
  }
  for (const id of [ended, paused]) {
    const { Status, ExitCode, Pid, FinishedAt } = (await inspect(daemon, id)).State;
    t.same({ Status, ExitCode, Pid }, { Status: 'exited', ExitCode: 255, Pid: 0 });
    t.ok(Date.now() - Date.parse(FinishedAt) < 60_000);
  }
  t.equal((await inspect(daemon, stopped)).State.Status, 'exited', 'who was stopped stays so');
  t.equal((await inspect(daemon, wasOk)).State.ExitCode, 0, 'who had done its work stays so');
  await until('--rm holds', async () =>
    (await daemon.api.get(`/containers/${removed}/json`)).status === 404);
});
