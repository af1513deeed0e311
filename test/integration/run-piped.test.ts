/** `docker run … | PROGRAM` with the real client: all bytes come, and nobody waits for the dead. */
import { spawn } from 'node:child_process';
import { test } from 'tap';
import { stateOf, until } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { dockerProgram } from '../support/docker-cli.js';

const client = dockerProgram();
const options = {
  skip: process.getuid?.() !== 0 ? 'a daemon needs root'
    : client === undefined ? 'there is no docker client: .ci/setup tests' : false,
  timeout: 280_000,
};
/** Each line is another, so that a loss is seen: 197 MB. */
const lines = 'seq 1 23000000';

/** A line for bash, with `docker` as one that speaks to this daemon. */
function shell(daemon: TestDaemon, script: string) {
  const begin = `set -o pipefail; docker() { '${client}' -H unix://${daemon.socket} "$@"; }; `;
  const child = spawn('bash', ['-c', begin + script], {
    stdio: ['ignore', 'pipe', 'pipe'], detached: true,
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  }
  const ended = new Promise<string>((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve(`${said.trim()} ${code}`));
  });
  return { pid: child.pid ?? 0, ended };
}

async function world(t: Parameters<typeof startDaemon>[0]): Promise<TestDaemon> {
  const daemon = await startDaemon(t, { isBridgeless: true });
  await importDemoImage(daemon.api);
  return daemon;
}

const run = (flags: string): string => `docker run ${flags} --network none tsdocker-demo ${lines}`;

test('what xz and a slow reader get is exact to the byte', options, async (t) => {
  const daemon = await world(t);
  const expected = await shell(daemon, `${lines} | sha256sum`).ended;
  t.match(expected, /^[0-9a-f]{64} {2}- 0$/);
  const slow = '{ head -c 70000000; sleep 3; head -c 70000000; sleep 3; cat; }';
  for (const reader of ['xz -0 -c | xz -dc', slow]) {
    t.equal(await shell(daemon, `${run('--rm')} | ${reader} | sha256sum`).ended, expected, reader);
  }
  t.equal(await shell(daemon, `docker run --rm --network none --log-driver none tsdocker-demo \
    sh -c '${lines} >&2' 2>&1 >/dev/null | sha256sum`).ended, expected, 'on the other stream');
});

test('a client that is killed, and a reader that leaves, hold up nobody', options, async (t) => {
  const daemon = await world(t);
  const stuck = shell(daemon, `${run('--name killed')} | sleep 1000`);
  const isRunning = async (name: string): Promise<boolean> =>
    (await stateOf(daemon, name)).Status === 'running';
  await until('it is there', async () =>
    (await daemon.api.get('/containers/killed/json')).status === 200, 60_000);
  await until('it runs', () => isRunning('killed'), 60_000);
  // Client, reader and shell.
  process.kill(-stuck.pid, 'SIGKILL');
  await stuck.ended;
  await until('it has ended', async () => !(await isRunning('killed')), 200_000);
  t.match(await stateOf(daemon, 'killed'), { Status: 'exited', ExitCode: 0 });
  const left = await shell(daemon, `${run('--name left')} | head -n 1`).ended;
  t.match(left, /^1\s/);
  await until('it has ended', async () => !(await isRunning('left')), 200_000);
  t.match(await stateOf(daemon, 'left'), { Status: 'exited', ExitCode: 0 });
});
