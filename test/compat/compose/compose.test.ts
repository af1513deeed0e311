import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Engine, Test } from '../../support/compat.js';
import { onBothEngines } from '../../support/compat.js';
import type { Compose } from '../../support/compose.js';
import { composeMissing, composeOf, importImage } from '../../support/compose.js';

const project = fileURLToPath(
  new URL('../../../../test/compat/compose/project/compose.yaml', import.meta.url),
);
const images = ['nginx', 'redis', 'postgres', 'python'];

/** One step of the project's life; later ones build on it. */
type Step = (t: Test, compose: Compose, engine: Engine) => Promise<void>;

interface Visit {
  readonly rows: number;
  readonly hits: number;
}

/** What the API answers through the web server's published port. */
async function visit(t: Test, compose: Compose, engine: Engine): Promise<Visit> {
  const address = await compose.out(t, 'port', 'web', '80');
  t.match(address, /^127\.0\.0\.1:\d+$/);
  const { stdout, stderr } = await engine.docker(
    'run', '--rm', '--network', 'host', engine.image, 'wget', '-qO-',
    `http://${address}/`,
  );
  t.equal(stderr, '');
  return JSON.parse(stdout === '' ? '{}' : stdout) as Visit; // it is what app.py sends
}

/** Container ids by service. */
async function ids(t: Test, compose: Compose): Promise<Readonly<Record<string, string>>> {
  const lines = await compose.out(t, 'ps', '-a', '--format', '{{.Service}} {{.ID}}');
  const pairs = lines.split('\n').map((line): [string, string] => {
    const [service = '', id = ''] = line.split(' ');
    return [service, id];
  });
  return Object.fromEntries(pairs);
}

const steps: Readonly<Record<string, Step>> = {
  'config lists the services, without those of profiles': async (t, compose) => {
    const listed = await compose.out(t, 'config', '--services');
    t.same(listed.split('\n').sort(), ['api', 'cache', 'db', 'migrate', 'web']);
  },
  'up --wait ends when all are healthy': async (t, compose) => {
    const { code, stderr } = await compose.run(['up', '-d', '--wait', '--quiet-pull']);
    // It tells of one that ended on its own as of a failure, unless something waits for its end.
    t.equal(code, 0, stderr);
    t.match(stderr, /Container \S+-web-1 {2}Healthy/);
  },
  'ps shows states and health': async (t, compose) => {
    const lines = await compose.out(t, 'ps', '--format', '{{.Service}} {{.State}} {{.Health}}');
    t.same(lines.split('\n').sort(), ['api', 'cache', 'db', 'web'].map(
      (name) => `${name} running healthy`,
    ));
    const all = await compose.out(t, 'ps', '-a', '--format', '{{.Service}} {{.State}}');
    t.match(all, /^migrate exited$/m);
    const json = JSON.parse(await compose.out(t, 'ps', 'web', '--format', 'json'));
    t.match(json, { Service: 'web', State: 'running', Health: 'healthy', ExitCode: 0 });
    t.match(json.Publishers, [{ URL: '127.0.0.1', TargetPort: 80, Protocol: 'tcp' }]);
  },
  'a request goes from the published port to the database': async (t, compose, engine) => {
    t.match(await visit(t, compose, engine), {
      rows: 1, hits: 1, greeting: 'hello from a file', colour: 'blue',
    });
    t.match(await visit(t, compose, engine), { rows: 2, hits: 2 });
  },
  'depends_on is kept: each started after what it waits for': async (t, _compose, engine) => {
    const at = async (service: string, field: string) => {
      const format = `{{.State.${field}}}`;
      const name = `${engine.tag}-${service}-1`;
      return Date.parse((await engine.docker('inspect', '-f', format, name)).stdout.trim());
    };
    t.ok((await at('migrate', 'StartedAt')) > (await at('db', 'StartedAt')));
    t.ok((await at('api', 'StartedAt')) > (await at('migrate', 'FinishedAt')));
    t.ok((await at('web', 'StartedAt')) > (await at('api', 'StartedAt')));
  },
  'secrets and configs are files inside': async (t, compose) => {
    t.equal(await compose.out(t, 'exec', '-T', 'db', 'cat', '/run/secrets/db-password'),
      'not-a-real-secret');
    t.match(await compose.out(t, 'exec', '-T', 'web', 'cat', '/etc/nginx/nginx.conf'), /resolver/);
  },
  'an alias is resolved where it should be, and nowhere else': async (t, compose) => {
    const script = 'import socket; print(socket.gethostbyname("database"))';
    t.match(await compose.out(t, 'exec', '-T', 'api', 'python3', '-c', script), /^[\d.]+$/);
    const { code } = await compose.run(['exec', '-T', 'web', 'wget', '-qO-', 'http://database']);
    t.equal(code, 1);
  },
  'the internal network has no way out': async (t, compose) => {
    t.notMatch(await compose.out(t, 'exec', '-T', 'cache', 'ip', 'route'), /default/);
    t.match(await compose.out(t, 'exec', '-T', 'web', 'ip', 'route'), /^default/);
  },
  'volumes and networks have the project’s labels': async (t, compose, engine) => {
    const label = `label=com.docker.compose.project=${engine.tag}`;
    const list = async (kind: string, field: string) =>
      (await engine.docker(kind, 'ls', '--filter', label, '--format', `{{.${field}}}`)).stdout
        .trim().split('\n').sort();
    t.same(await list('volume', 'Name'), [`${engine.tag}_cache-data`, `${engine.tag}_db-data`]);
    t.same(await list('network', 'Name'), [`${engine.tag}_back`, `${engine.tag}_front`]);
    t.equal((await engine.docker(
      'volume', 'inspect', '-f', '{{index .Labels "org.example.kept"}}', `${engine.tag}_cache-data`,
    )).stdout, 'no\n');
    t.match(await compose.out(t, 'ls', '--format', 'json'), `"Name":"${engine.tag}"`);
  },
  'logs carry the names, or not': async (t, compose) => {
    t.match(await compose.out(t, 'logs', 'migrate'), /^migrate-1 +\| migrated$/m);
    t.equal(await compose.out(t, 'logs', '--no-log-prefix', 'migrate'), 'migrated');
    const last = await compose.out(t, 'logs', '--no-log-prefix', '-n', '1', 'api');
    t.match(last, /^api [^\n]*$/);
    t.match(await compose.out(t, 'logs', '-t', 'migrate'), /\d{4}-\d\d-\d\dT[\d:.]+Z migrated$/m);
  },
  'exec passes streams, user, folder, variables and status': async (t, compose) => {
    t.equal(await compose.out(t, 'exec', '-T', '-u', '33', '-w', '/tmp', '-e', 'X=1', 'web',
      'sh', '-c', 'echo $(id -u) $(pwd) $X'), '33 /tmp 1');
    const { code } = await compose.run(['exec', '-T', 'web', 'sh', '-c', 'exit 7']);
    t.equal(code, 7);
    const { stdout } = await compose.run(['exec', '-T', 'web', 'cat'], { input: 'typed' });
    t.equal(stdout, 'typed');
  },
  'top shows the processes': async (t, compose) => {
    t.match(await compose.out(t, 'top', 'cache'), /redis-server/);
  },
  'images shows what each runs': async (t, compose, engine) => {
    t.match(await compose.out(t, 'images', 'web'), `${engine.tag}-nginx`);
  },
  'scale adds, and the name has an address for each': async (t, compose) => {
    await compose.out(t, 'up', '-d', '--wait', '--no-recreate', '--scale', 'api=3');
    t.equal((await compose.out(t, 'ps', '-q', 'api')).split('\n').length, 3);
    const found = await compose.out(t, 'exec', '-T', 'web', 'nslookup', 'api', '127.0.0.11');
    t.equal(found.match(/^Address: *\d+\.\d+\.\d+\.\d+$/gm)?.length, 3, found);
    await compose.out(t, 'scale', 'api=1');
    t.equal((await compose.out(t, 'ps', '-q', 'api')).split('\n').length, 1);
  },
  'up again changes nothing': async (t, compose) => {
    const before = await ids(t, compose);
    await compose.out(t, 'up', '-d', '--wait');
    t.same(await ids(t, compose), before);
  },
  'up after a change recreates only what has changed': async (t, compose, engine) => {
    const before = await ids(t, compose);
    const environment = { COLOUR: 'green' };
    const { code, stderr } = await compose.run(['up', '-d', '--wait'], { environment });
    t.equal(code, 0, stderr);
    const after = await ids(t, compose);
    t.not(after['api'], before['api']);
    for (const name of ['db', 'cache', 'migrate']) t.equal(after[name], before[name], name);
    t.match(await visit(t, compose, engine), { colour: 'green' });
  },
  'restart keeps container and volume': async (t, compose, engine) => {
    const before = await ids(t, compose);
    const { rows } = await visit(t, compose, engine);
    await compose.out(t, 'restart', 'db');
    await compose.out(t, 'up', '-d', '--wait', '--no-recreate');
    t.same(await ids(t, compose), before);
    t.match(await visit(t, compose, engine), { rows: rows + 1 });
  },
  'pause and unpause': async (t, compose) => {
    await compose.out(t, 'pause', 'cache');
    t.match(await compose.out(t, 'ps', 'cache', '--format', '{{.State}}'), 'paused');
    await compose.out(t, 'unpause', 'cache');
  },
  'kill and start': async (t, compose) => {
    await compose.out(t, 'kill', 'web');
    const state = () => compose.out(t, 'ps', '-a', 'web', '--format', '{{.State}} {{.ExitCode}}');
    t.equal(await state(), 'exited 137');
    await compose.out(t, 'start', 'web');
    t.equal(await state(), 'running 0');
  },
  'run --rm of a profile’s service leaves nothing': async (t, compose) => {
    const out = await compose.out(t, 'run', '--rm', '-T', '--no-deps', 'migrate', 'echo', 'once');
    t.equal(out, 'once');
    t.notMatch(await compose.out(t, 'ps', '-a'), /run/);
    const { code } = await compose.run(['run', '--rm', '-T', '--no-deps', 'migrate', 'false']);
    t.equal(code, 1);
  },
  'up of what depends on an ill service fails': async (t, compose) => {
    const { code, stderr } = await compose.run(['--profile', 'ill', 'up', '-d', 'waits-for-ill']);
    t.equal(code, 1);
    t.match(stderr, /dependency failed to start: container \S+-ill-1 is unhealthy/);
    await compose.out(t, '--profile', 'ill', 'rm', '-fs', 'ill', 'waits-for-ill');
  },
  'up in the foreground ends with the container, and as it does': async (t, compose) => {
    const args = ['up', '--no-deps', '--exit-code-from', 'migrate', 'migrate'];
    const { code, stdout } = await compose.run(args);
    t.equal(code, 0);
    t.match(stdout, /migrate-1 +\| migrated\n/);
    t.match(stdout, /migrate-1 exited with code 0/);
  },
  'events tells of a stop': async (t, compose, engine) => {
    const told = compose.run(['events', '--json', 'web']);
    await sleep(1000);
    await compose.out(t, 'stop', 'web');
    await engine.docker('inspect', `${engine.tag}-web-1`);
    await Promise.race([told, sleep(500)]);
  },
  'stop and start again keep what was written': async (t, compose, engine) => {
    await compose.out(t, 'stop');
    t.equal(await compose.out(t, 'ps', '-q'), '');
    await compose.out(t, 'up', '-d', '--wait', '--no-recreate');
    t.ok((await visit(t, compose, engine)).rows > 3);
  },
  'down leaves the volumes': async (t, compose, engine) => {
    await compose.out(t, 'down', '-t', '3');
    t.equal(await compose.out(t, 'ps', '-aq'), '');
    const list = async (kind: string) =>
      (await engine.docker(kind, 'ls', '-q', '--filter', `name=${engine.tag}`)).stdout;
    t.equal(await list('network'), '');
    t.match(await list('volume'), /db-data/);
  },
  'up after that finds what was written': async (t, compose, engine) => {
    await compose.out(t, 'up', '-d', '--wait');
    const { rows, hits } = await visit(t, compose, engine);
    t.ok(rows > 4);
    t.equal(hits, 1, 'the cache keeps nothing');
  },
  'down -v leaves nothing': async (t, compose, engine) => {
    await compose.out(t, 'down', '-v', '-t', '3', '--remove-orphans');
    for (const kind of ['network', 'volume', 'container'])
      t.equal((await engine.docker(kind, 'ls', '-q', '--filter', `name=${engine.tag}`)).stdout, '');
  },
  'a config from the file itself is copied in': async (t, compose, engine) => {
    const out = await compose.out(
      t, 'run', '--rm', '-T', '--no-deps', 'tools', 'cat', '/etc/inline.conf');
    t.equal(out, `project=${engine.tag}`);
  },
  'cp copies to and from a service': async (t, compose) => {
    await compose.out(t, 'up', '-d', '--no-deps', 'web');
    await compose.out(t, 'cp', project, 'web:/root/copy');
    t.match(await compose.out(t, 'exec', '-T', 'web', 'cat', '/root/copy'), /^services:$/m);
    await compose.out(t, 'down', '-v', '-t', '1');
  },
};

onBothEngines('docker compose', composeMissing(images), async (t, engine) => {
  const compose = composeOf(t, engine, project);
  t.teardown(async () => {
    await compose.run(['--profile', '*', 'down', '-v', '-t', '1', '--remove-orphans']);
    for (const name of images) await engine.api.delete(`/images/${engine.tag}-${name}:1?force=1`);
  });
  for (const name of images) await importImage(t, engine, name);
  for (const [says, step] of Object.entries(steps)) {
    await engine.check(says, (t) => step(t, compose, engine), { keeps: true });
  }
});
