/** Health checks of real containers: what Docker does, and that a killed daemon goes on with it. */
import { test } from 'tap';
import type { ContainerInspectResponse, Health } from '../../api-spec/index.js';
import { run, stateOf, until } from '../support/containers.js';
import type { TestDaemon } from '../support/daemon.js';
import { startDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';

const ms = 1_000_000;

interface Event {
  readonly Action: string;
  readonly Actor: { readonly Attributes: Readonly<Record<string, string>> };
}

function sleeper(name: string, test_: readonly string[], times: object = {}) {
  const config = { Healthcheck: { Test: test_, Interval: 200 * ms, Retries: 2, ...times } };
  return { name, command: ['sleep', '1000'], config };
}

async function healthOf(daemon: TestDaemon, name: string): Promise<Health> {
  const { Health: health } = await stateOf(daemon, name);
  if (health === undefined) throw new Error('nothing is known of its health');
  return health;
}

function untilIs(daemon: TestDaemon, name: string, status: string): Promise<void> {
  const isSo = async (): Promise<boolean> => (await healthOf(daemon, name)).Status === status;
  return until(`${name} is ${status}`, isSo);
}

/** Of a container, since it was made. */
async function events(daemon: TestDaemon, id: string): Promise<readonly Event[]> {
  const filters = encodeURIComponent(JSON.stringify({ container: [id] }));
  const until_ = (Date.now() / 1000).toFixed(3);
  const { text } = await daemon.api.get(`/events?since=1&until=${until_}&filters=${filters}`);
  const lines = text === '' ? [] : text.trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Event);
}

test('a probe is an exec, and what changes is told', async (t) => {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  const id = await run(daemon, sleeper('box', ['CMD-SHELL', 'echo fine; test -e /ill || exit 0']));
  t.equal((await healthOf(daemon, 'box')).Status, 'starting');
  await untilIs(daemon, 'box', 'healthy');
  const told = await events(daemon, id);
  const command = '/bin/sh -c echo fine; test -e /ill || exit 0';
  t.strictSame(told.slice(0, 6).map(({ Action }) => Action), [
    'create', 'start', `exec_create: ${command}`, `exec_start: ${command}`, 'exec_die',
    'health_status: healthy',
  ]);
  t.match(told[4], { Actor: { Attributes: { exitCode: '0', name: 'box', execID: /^\w{64}$/ } } });
  const [first] = (await healthOf(daemon, 'box')).Log ?? [];
  t.match(first, { ExitCode: 0, Output: 'fine\n' });
  const rows = (await daemon.api.get('/containers/json')).json as readonly { Status: string }[];
  t.match(rows[0]?.Status, /^Up .* \(healthy\)$/);

  await daemon.api.post('/containers/box/pause');
  t.equal((await healthOf(daemon, 'box')).Status, 'unhealthy', 'nobody asks a paused one');
  const before = (await events(daemon, id)).length;
  await daemon.api.post('/containers/box/unpause');
  await untilIs(daemon, 'box', 'healthy');
  t.ok((await events(daemon, id)).length > before);

  await daemon.api.post('/containers/box/restart?t=0');
  const health = await healthOf(daemon, 'box');
  t.equal(health.Status, 'starting');
  t.ok((health.Log ?? []).length > 0, 'what earlier probes said can still be read');
  await untilIs(daemon, 'box', 'healthy');
  await daemon.api.post('/containers/box/kill');
  t.equal((await healthOf(daemon, 'box')).Status, 'unhealthy');
});

test('a probe that takes too long is killed, one that cannot start fails', async (t) => {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  const slow = ['CMD-SHELL', 'echo so far; exec sleep 77'];
  await run(daemon, sleeper('slow', slow, { Timeout: 300 * ms }));
  await run(daemon, sleeper('none', ['CMD', 'no-such-program']));
  await run(daemon, sleeper('loud', ['CMD-SHELL', 'yes | head -c 1000000']));
  await untilIs(daemon, 'slow', 'unhealthy');
  const { Log: log } = await healthOf(daemon, 'slow');
  t.match(log?.[0], {
    ExitCode: -1, Output: 'Health check exceeded timeout (300ms): so far\n',
  });
  const { text: processes } = await daemon.api.get('/containers/slow/top');
  const count = processes.split('sleep').length;
  t.ok(count <= 1 + 2, 'they do not pile up');

  await untilIs(daemon, 'none', 'unhealthy');
  const failed = (await healthOf(daemon, 'none')).Log?.[0];
  t.equal(failed?.ExitCode, -1);
  t.match(failed?.Output, /^OCI runtime exec failed: .*executable file not found in \$PATH/);

  await untilIs(daemon, 'loud', 'healthy');
  const output = (await healthOf(daemon, 'loud')).Log?.[0]?.Output ?? '';
  t.equal(output.length, 4096 + 3);
  t.ok(output.endsWith('...'));
  await until('five are kept', async () => (await healthOf(daemon, 'loud')).Log?.length === 5);
});

test('while it starts failures do not count, and probes come often', async (t) => {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  const times = { Interval: 60_000 * ms, StartInterval: 100 * ms, StartPeriod: 60_000 * ms };
  await run(daemon, sleeper('box', ['CMD', 'test', '-e', '/up'], { ...times, Retries: 1 }));
  await until('a few probes', async () => ((await healthOf(daemon, 'box')).Log?.length ?? 0) > 2);
  t.match(await healthOf(daemon, 'box'), { Status: 'starting', FailingStreak: 0 });
  const { json } = await daemon.api.post('/containers/box/exec', { Cmd: ['touch', '/up'] });
  await daemon.api.post(`/exec/${String(json.Id)}/start`, { Detach: true });
  await untilIs(daemon, 'box', 'healthy');
});

test('a daemon that was killed goes on, and leaves no probe behind', async (t) => {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  const script = 'test -e /hang && exec sleep 78; exit 0';
  // Long enough to be met; a probe of the next daemon may hang too, until the file is gone.
  const id = await run(daemon, sleeper('box', ['CMD-SHELL', script], { Timeout: 3_000 * ms }));
  await untilIs(daemon, 'box', 'healthy');
  const { json } = await daemon.api.post('/containers/box/exec', { Cmd: ['touch', '/hang'] });
  await daemon.api.post(`/exec/${String(json.Id)}/start`, { Detach: true });
  const top = async (): Promise<string> => (await daemon.api.get('/containers/box/top')).text;
  await until('a probe hangs', async () => (await top()).includes('sleep 78'));
  await daemon.kill9();
  await daemon.start();
  t.equal((await healthOf(daemon, 'box')).Status, 'healthy', 'as it was known');
  await until('no probe of before', async () => !(await top()).includes('sleep 78'), 5_000);
  await daemon.api.post('/containers/box/exec', { Cmd: ['rm', '/hang'] }).then(({ json: exec }) =>
    daemon.api.post(`/exec/${String(exec.Id)}/start`, { Detach: true }),
  );
  const before = (await events(daemon, id)).length;
  await until('it is probed again', async () => (await events(daemon, id)).length > before + 3);
  const inspected = (await daemon.api.get('/containers/box/json')).json;
  t.equal((inspected as ContainerInspectResponse).State.Health?.Status, 'healthy');
});
