/**
 * The everyday commands of the real docker client. The same script runs on tsdockerd and, when
 * REFERENCE_DOCKER_HOST names one, on another engine: what holds there has to hold here.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { startDaemon } from '../support/daemon.js';
import { demoRootfs } from '../support/demo-image.js';
import type { CommandResult } from '../support/docker-cli.js';
import { docker, dockerProgram } from '../support/docker-cli.js';

type Test = Parameters<Parameters<typeof test>[0]>[0];

/** A client of one engine, with names that no other test has. */
function client(host: string) {
  const tag = `compat-${randomBytes(4).toString('hex')}`;
  const run = (...args: readonly string[]): Promise<CommandResult> => docker(host, args);
  return {
    tag,
    run,
    image: `${tag}:1`,
    name: (suffix: string) => `${tag}-${suffix}`,
    /** Standard output without the last newline; the command must succeed. */
    out: async (t: Test, ...args: readonly string[]): Promise<string> => {
      const result = await run(...args);
      t.equal(result.code, 0, `docker ${args.join(' ')}: ${result.stderr}`);
      return result.stdout.trimEnd();
    },
    input: (input: Buffer | string, ...args: readonly string[]) => docker(host, args, { input }),
  };
}

type Client = ReturnType<typeof client>;

async function images(t: Test, { run, out, input, image, tag }: Client): Promise<void> {
  await t.test('import, images, inspect, tag, save, rmi, load', async (t) => {
    const imported = await input(demoRootfs(), 'import', '--change', 'CMD ["sh"]', '-', image);
    t.match(imported.stdout, /^sha256:[0-9a-f]{64}\n$/, imported.stderr);
    t.equal(await out(t, 'images', '-q', '--no-trunc', image), imported.stdout.trim());
    t.equal(
      await out(t, 'image', 'inspect', '-f', '{{.Os}} {{json .Config.Cmd}}', image),
      'linux ["sh"]',
    );
    await out(t, 'tag', image, `${tag}:2`);
    t.match(await out(t, 'rmi', `${tag}:2`), /^Untagged: /);
    t.match(await run('rmi', `${tag}:2`), { code: 1, stderr: /No such image: / });
    t.match(await run('image', 'inspect', 'no-such-image-here'), {
      code: 1,
      stderr: /No such image/,
    });
  });
}

async function runs(t: Test, { run, out, input, image, name }: Client): Promise<void> {
  await t.test('run: output, exit codes, streams, stdin', async (t) => {
    t.equal(await out(t, 'run', '--rm', image, 'echo', 'hello'), 'hello');
    t.match(await run('run', '--rm', image, 'sh', '-c', 'echo e >&2; exit 3'), {
      code: 3,
      stdout: '',
      stderr: 'e\n',
    });
    t.match(await run('run', '--rm', image, 'no-such-program'), { code: 127 });
    t.match(await run('run', '--rm', image, '/etc'), { code: 126 });
    t.match(await input('in\n', 'run', '--rm', '-i', image, 'cat'), { code: 0, stdout: 'in\n' });
    t.match(await run('run', '--rm', '-v', 'relative/path:/x', image, 'true'), { code: 125 });
  });
  await t.test('run: environment, user, workdir, hostname, limits', async (t) => {
    const script = 'echo $X $(id -u):$(id -g) $(pwd) $(hostname)';
    const flags = ['-e', 'X=1', '-u', '1000:1000', '-w', '/tmp', '-h', 'box'];
    t.equal(
      await out(t, 'run', '--rm', ...flags, image, 'sh', '-c', script),
      '1 1000:1000 /tmp box',
    );
    t.match(
      await out(t, 'run', '--rm', '--read-only', image, 'sh', '-c', 'touch /x 2>&1 || true'),
      /Read-only file system/,
    );
    t.match(await out(t, 'run', '--rm', '-t', image, 'tty'), /^\/dev\/pts\/0/);
    t.match(await out(t, 'run', '--rm', '--init', image, 'sh', '-c', 'cat /proc/1/comm'), /init/);
    const id = await out(
      t, 'create', '-m', '32m', '--pids-limit', '50', '--name', name('limits'), image, 'true',
    );
    t.match(id, /^[0-9a-f]{64}$/);
    t.equal(
      await out(t, 'inspect', '-f', '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}', id),
      `${32 * 1024 * 1024} 50`,
    );
    await out(t, 'rm', name('limits'));
  });
}

async function life(t: Test, { run, out, image, name }: Client): Promise<void> {
  await t.test('start, ps, logs, stop, wait, restart, kill, rm', async (t) => {
    const web = name('life');
    const script =
      'trap "exit 7" TERM; n=0; while true; do n=$((n+1)); echo line $n; sleep 0.1; done';
    await out(t, 'run', '-d', '--name', web, '--label', 'a=b', image, 'sh', '-c', script);
    t.equal(
      await out(t, 'ps', '--filter', `name=${web}`, '--format', '{{.Names}} {{.State}}'),
      `${web} running`,
    );
    t.equal(
      await out(
        t, 'ps', '-q', '--filter', 'label=a=b', '--filter', 'status=exited', '--filter',
        `name=${web}`,
      ),
      '',
    );
    t.match(await run('run', '--name', web, image, 'true'), {
      code: 125,
      stderr: /is already in use by container/,
    });
    t.match(await run('rm', web), { code: 1, stderr: /container is running|cannot remove/ });
    // All of the above may take less time than the first two lines.
    for (let attempt = 0; attempt < 50; attempt += 1) {
      if ((await run('logs', web)).stdout.includes('line 2')) break;
      await sleep(100);
    }
    t.equal(await out(t, 'stop', web), web);
    t.equal(
      await out(t, 'inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', web),
      'exited 7',
    );
    t.match(await out(t, 'logs', '--tail', '1', web), /^line \d+$/);
    t.match(await out(t, 'logs', '-t', web), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z line 1\n/);
    await out(t, 'restart', web);
    await out(t, 'kill', '-s', 'KILL', web);
    t.equal(await out(t, 'wait', web), '137');
    t.match(
      await out(t, 'ps', '-a', '--filter', `name=${web}`, '--format', '{{.Status}}'),
      /^Exited \(137\)/,
    );
    await out(t, 'rm', web);
    t.match(await run('inspect', web), { code: 1, stderr: /[Nn]o such (object|container)/ });
  });
  await t.test('logs -f ends with the container', async (t) => {
    const id = await out(
      t, 'run', '-d', image, 'sh', '-c', 'for i in 1 2 3; do echo $i; sleep 0.2; done',
    );
    t.equal(await out(t, 'logs', '-f', id), '1\n2\n3');
    await out(t, 'rm', id);
  });
}

async function things(t: Test, { run, out, image, name }: Client): Promise<void> {
  await t.test('volumes outlive containers', async (t) => {
    const volume = name('volume');
    t.equal(await out(t, 'volume', 'create', volume), volume);
    await out(t, 'run', '--rm', '-v', `${volume}:/data`, image, 'sh', '-c', 'echo kept > /data/x');
    t.equal(
      await out(t, 'run', '--rm', '-v', `${volume}:/data:ro`, image, 'cat', '/data/x'),
      'kept',
    );
    t.match(await out(t, 'volume', 'ls', '-q'), volume);
    await out(t, 'volume', 'rm', volume);
    t.match(await run('volume', 'inspect', volume), { code: 1, stderr: /no such volume/ });
  });
  await t.test('containers of a network find one another by name', async (t) => {
    const net = name('net');
    await out(t, 'network', 'create', net);
    await out(
      t, 'run', '-d', '--name', name('a'), '--network', net, image, 'httpd', '-f', '-p', '80', '-h',
      '/www',
    );
    const page = await out(
      t, 'run', '--rm', '--network', net, image, 'wget', '-q', '-O', '-', `http://${name('a')}/`,
    );
    t.match(page, /Hello/);
    t.match(await run('network', 'rm', net), { code: 1, stderr: /active endpoints/ });
    await out(t, 'rm', '-f', name('a'));
    await out(t, 'network', 'rm', net);
  });
  await t.test('a port is published, shown, and refused twice', async (t) => {
    const id = await out(
      t, 'run', '-d', '-p', '127.0.0.1::80', image, 'httpd', '-f', '-p', '80', '-h', '/www',
    );
    const shown = await out(t, 'port', id, '80/tcp');
    t.match(shown, /^127\.0\.0\.1:\d+$/);
    t.match(await run('run', '--rm', '-p', `${shown}:80`, image, 'true'), {
      code: 125,
      stderr: /port is already allocated/,
    });
    await out(t, 'rm', '-f', id);
  });
  await t.test('events tell a life in order', async (t) => {
    const since = String(Date.now() / 1000);
    await out(t, 'run', '--rm', '--name', name('told'), '--network', 'none', image, 'true');
    const until = String(Date.now() / 1000 + 0.5);
    const filter = `container=${name('told')}`;
    const told = await out(
      t, 'events', '--since', since, '--until', until, '--filter', filter, '--format',
      '{{.Action}}',
    );
    const actions = told.split('\n');
    for (const action of ['create', 'attach', 'start', 'die', 'destroy'])
      t.ok(actions.includes(action), action);
    t.ok(actions.indexOf('start') < actions.indexOf('die'));
  });
}

async function script(t: Test, host: string): Promise<void> {
  const engine = client(host);
  t.teardown(async () => {
    const ids = (await engine.run('ps', '-aq', '--filter', `name=${engine.tag}`)).stdout
      .split('\n')
      .filter(Boolean);
    if (ids.length > 0) await engine.run('rm', '-f', ...ids);
    await engine.run('rmi', '-f', engine.image);
  });
  t.match(await engine.out(t, 'version', '-f', '{{.Server.APIVersion}}'), /^1\.\d+$/);
  t.match(await engine.out(t, 'info', '-f', '{{.OSType}}'), 'linux');
  await images(t, engine);
  await runs(t, engine);
  await life(t, engine);
  await things(t, engine);
}

const skip = dockerProgram() === undefined ? 'there is no docker client: .ci/setup tests' : false;

test('the docker client drives tsdockerd', { skip }, async (t) => {
  const daemon = await startDaemon(t);
  await script(t, `unix://${daemon.socket}`);
});

const reference = process.env['REFERENCE_DOCKER_HOST'];

test('the same script holds on the reference engine', {
  skip: skip || (reference === undefined && 'REFERENCE_DOCKER_HOST is not set'),
}, async (t) => {
  await script(t, reference ?? '');
});
