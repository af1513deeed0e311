import { setTimeout as sleep } from 'node:timers/promises';
import { cliChecks, fails, joined } from '../../support/cli-table.js';
import type { Engine, Test } from '../../support/compat.js';

/** What the events of a name were, from a moment on. */
async function told(t: Test, engine: Engine, sinceMs: number, more: readonly string[]) {
  await sleep(300);
  const { stdout, stderr, code } = await engine.docker(
    'events', '--since', String(sinceMs / 1000), '--until', String(Date.now() / 1000),
    ...more,
  );
  t.equal(code, 0, stderr);
  return stdout.replace(/\n$/, '').split('\n');
}

cliChecks({
  'version shows client and server': [
    [
      'version',
      joined(
        /^Client:[^]*API version:[^]*Server:[^]*Engine:\n +Version: +\d+\.\d+\.\d+[^]*API /,
        /version: +1\.\d+ \(minimum version 1\.24\)[^]*OS\/Arch: +linux\/(amd64|arm64)/,
      ),
    ],
    ['version -f {{.Server.Version}}', /^\d+\.\d+\.\d+/],
    ['version -f {{.Server.Os}}', 'linux'],
    [
      'version --format json',
      /"Server":\{"Platform":\{"Name":".*"\},"Components":\[\{"Name":"Engine"/,
    ],
  ],
  'info shows the engine': [
    [
      'info',
      joined(
        /^Client:[^]*Server:\n Containers: \d+\n {2}Running: \d+\n {2}Paused: \d+/,
        /\n {2}Stopped: \d+\n Images: \d+[^]*Storage Driver: [^]*Logging Driver: json-file[^]*/,
        /Cgroup Driver: [^]*Swarm: inactive[^]*Kernel Version: /,
      ),
    ],
    [
      `info -f '{{.OSType}} {{.Swarm.LocalNodeState}} {{.LoggingDriver}}'`,
      'linux inactive json-file',
    ],
    [`info -f '{{.NCPU}} {{.MemTotal}}'`, /^\d+ \d{8,}$/],
    [`info -f '{{json .SecurityOptions}}'`, /name=seccomp,profile=builtin/],
    [`info -f '{{.DefaultRuntime}} {{json .Plugins.Network}}'`, /^runc \["bridge","host",/],
  ],
  'info counts containers': [
    ['run -d --name @a IMG sleep 600'],
    [`info -f '{{.ContainersRunning}}'`, /^[1-9]\d*$/],
  ],
  'system df adds up': [
    [
      'system df',
      joined(
        /^TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE\nImages +\d+ +\d+ +[\d.]+[kMG]?B[^]*/,
        /\nContainers +\d[^]*\nLocal Volumes +\d[^]*\nBuild Cache +0/,
      ),
    ],
    [`system df --format '{{.Type}}'`, 'Images\nContainers\nLocal Volumes\nBuild Cache'],
  ],
  'system df -v lists each': [
    ['create --name @a -v @v:/x IMG'],
    [
      'system df -v',
      joined(
        /Images space usage:[^]*@?[^]*Containers space usage:[^]*@a[^]*Local Volumes space /,
        /usage:[^]*@v +1 +0B/,
      ),
    ],
    ["system df -v --format '{{range .Images}}={{.Containers}} {{end}}'", /=[1-9]/],
  ],
  'system prune takes what is unused, by label': [
    ['run --name @a -l @l IMG true'],
    ['network create --label @l @n'],
    [
      'system prune -f --filter label=@l',
      /Deleted Containers:\n[0-9a-f]{64}\n\nDeleted Networks:\n@n\n\nTotal reclaimed space: /,
    ],
  ],
  'plugin ls is empty': [['plugin ls', /^ID +NAME +DESCRIPTION +ENABLED$/]],
  'swarm commands say that this is no manager': [
    ['node ls', fails(1, /This node is not a swarm manager/)],
    ['service ls', fails(1, /This node is not a swarm manager/)],
    ['swarm leave', fails(1, /This node is not part of a swarm/)],
  ],
  'login is refused where nobody answers': [
    ['login -u u -p p 127.0.0.1:1', fails(1, /127\.0\.0\.1:1.*connection refused/)],
  ],
}, {
  special: {
    'events tell a life in order': async (t, engine) => {
      const since = Date.now();
      const name = `${engine.tag}-a`;
      await engine.docker('run', '--name', name, '--network', 'none', engine.image, 'true');
      await engine.docker('rm', name);
      const filter = ['--filter', `container=${name}`, '--filter', 'type=container'];
      const actions = await told(t, engine, since, [...filter, '--format', '{{.Action}}']);
      t.same(actions, ['create', 'attach', 'start', 'die', 'destroy']);
    },
    'events of stop, kill, rename, pause': async (t, engine) => {
      const name = `${engine.tag}-a`;
      await engine.docker('create', '--name', name, engine.image, 'sleep', '600');
      const since = Date.now();
      for (const verb of ['start', 'pause', 'unpause']) await engine.docker(verb, name);
      await engine.docker('rename', name, `${name}2`);
      await engine.docker('rename', `${name}2`, name);
      await engine.docker('kill', name);
      await engine.docker('wait', name);
      const filter = ['--filter', `container=${name}`, '--filter', 'type=container'];
      const format =
        '{{.Action}} {{index .Actor.Attributes "signal"}}{{index .Actor.Attributes "exitCode"}}';
      const actions = await told(t, engine, since, [...filter, '--format', format]);
      t.same(
        actions.map((line) => line.trimEnd()),
        ['start', 'pause', 'unpause', 'rename', 'rename', 'kill 9', 'die 137'],
      );
    },
    'events are filtered by event, label and image': async (t, engine) => {
      const since = Date.now();
      const name = `${engine.tag}-a`;
      await engine.docker('run', '--name', name, '-l', 'a=b', engine.image, 'true');
      const filter = ['--filter', 'label=a=b', '--filter', `image=${engine.image}`];
      t.same(
        await told(t, engine, since, [
          ...filter, '--filter', 'event=start', '--filter', 'event=die', '--format',
          '{{.Type}} {{.Action}}',
        ]),
        ['container start', 'container die'],
      );
    },
    'events of exec carry its command': async (t, engine) => {
      const name = `${engine.tag}-a`;
      await engine.docker('run', '-d', '--name', name, engine.image, 'sleep', '600');
      const since = Date.now();
      await engine.docker('exec', name, 'true');
      const filter = ['--filter', `container=${name}`, '--format', '{{.Action}}'];
      t.same(await told(t, engine, since, filter), [
        'exec_create: true ', 'exec_start: true ', 'exec_die',
      ]);
    },
    'events of networks and volumes': async (t, engine) => {
      const since = Date.now();
      const [network, volume] = [`${engine.tag}-n`, `${engine.tag}-v`];
      await engine.docker('network', 'create', network);
      await engine.docker('volume', 'create', volume);
      const args =
        ['run', '--rm', '--network', network, '-v', `${volume}:/x`, engine.image, 'true'];
      await engine.docker(...args);
      await sleep(500);
      await engine.docker('network', 'rm', network);
      await engine.docker('volume', 'rm', volume);
      const format = ['--format', '{{.Type}} {{.Action}}'];
      const of = (filter: string) => told(t, engine, since, ['--filter', filter, ...format]);
      t.same(
        await of(`network=${network}`),
        ['create', 'connect', 'disconnect', 'destroy'].map((action) => `network ${action}`),
      );
      const ofVolume = await of(`volume=${volume}`);
      t.same([ofVolume.at(0), ofVolume.at(-1)], ['volume create', 'volume destroy']);
    },
    'events of images': async (t, engine) => {
      const since = Date.now();
      const image = `${engine.tag}-i:1`;
      await engine.docker('tag', engine.image, image);
      await engine.docker('rmi', image);
      const format = ['--format', '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}'];
      const lines = await told(t, engine, since, ['--filter', 'type=image', ...format]);
      t.ok(lines.includes(`image tag ${image}`), lines.join('; '));
      t.ok(lines.some((line) => line.startsWith('image untag ')), lines.join('; '));
    },
    'events print as text and as JSON': async (t, engine) => {
      const since = Date.now();
      await engine.docker('volume', 'create', `${engine.tag}-v`);
      const filter = ['--filter', `volume=${engine.tag}-v`];
      const [text] = await told(t, engine, since, filter);
      t.match(text, /^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{9}\S* volume create \S+ \(driver=local\)$/);
      const [json] = await told(t, engine, since, [...filter, '--format', 'json']);
      t.match(JSON.parse(json ?? ''), { Type: 'volume', Action: 'create', scope: 'local' });
    },
  },
});
