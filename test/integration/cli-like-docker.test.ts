/** The command line beside Docker's own, on one engine: what both print has to be the same. */
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import tap, { test } from 'tap';
import { create, run, start, until } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { docker, dockerProgram } from '../support/docker-cli.js';

// Some hundred and twenty programs are started one after the other.
tap.setTimeout(300_000);

const program = fileURLToPath(new URL('../../cli/tsdocker.cjs', import.meta.url));

/** Clients of these versions print alike. */
const majors = ['26', '27', '28'];

function whyNot(): string | false {
  const docker = dockerProgram();
  if (docker === undefined) return 'there is no docker client: .ci/setup tests';
  const { stdout } = spawnSync(docker, ['--version'], { encoding: 'utf8' });
  const [, version = '', major = ''] = /version ((\d+)[\d.]*)/.exec(stdout) ?? [];
  return !majors.includes(major) && `docker ${version} prints otherwise than ${majors.join(', ')}`;
}

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
}

function tsdocker(host: string, words: readonly string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...words], {
      env: { PATH: process.env['PATH'], HOME: '/nonexistent', DOCKER_HOST: host },
      stdio: ['ignore', 'pipe', 'ignore'], timeout: 60_000,
    });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.once('error', reject).once('close', (code) => resolve({ code, stdout }));
  });
}

/** What is of the moment: how long ago, how busy. */
function lasting({ code, stdout }: Outcome): Outcome {
  const text = stdout
    .replace(/(?:\d+|About an?|Less than a) (?:second|minute)s?/g, 'N s')
    .replace(/\d+(?:\.\d+)?%/g, 'N%')
    .replace(/\d+(?:\.\d+)?(?:B|kB|KiB|MiB|MB)\b/g, 'size')
    .replace(/ {2,}/g, '  ');
  return { code, stdout: text };
}

const look = [
  'ps', 'ps -a', 'ps -aq', 'ps -a --no-trunc', 'ps -as', 'ps -n 1', 'ps -l', 'container ls -a',
  'ps -a --filter name=rest', 'ps --filter nope=x', 'ps -aq --filter status=exited',
  'ps -a --format {{.ID}}:{{.Image}}:{{.Command}}:{{.State}}:{{.Labels}}:{{.Mounts}}',
  'ps -a --format {{.Networks}}:{{.LocalVolumes}}:{{.Ports}}:{{.Size}}:{{.Names}}',
  'ps|-a|--format|table {{.Names}}\\t{{.Status}}', 'ps|-a|--format|{{json .Names}}',
  'inspect busy', 'inspect nope', 'inspect busy nope', 'inspect -s rest', 'container inspect busy',
  'inspect --type image busy', 'inspect --type volume vol', 'inspect bridge vol busy tsdocker-demo',
  'port busy', 'port busy 80', 'port busy 81', 'port rest', 'diff busy', 'diff rest', 'diff nope',
  'logs ended', 'logs -n 1 ended', 'logs -t ended', 'logs --details ended', 'logs nope',
  'top busy', 'top busy -o pid', 'top rest', 'wait ended', 'wait nope',
  'stats|--no-stream|--format|{{.Name}} {{.PIDs}}|busy', 'stats --no-stream -a', 'stats nope',
  'system df', 'system df -v', 'images', 'image ls -q', 'network ls', 'volume ls', 'volume ls -q',
  'info --format {{.OSType}}{{.NCPU}}{{.Swarm.LocalNodeState}}', 'exec busy echo hi',
  'exec busy nope', 'exec nope id', 'exec -d busy nope', 'exec|-w|/tmp|busy|sh|-c|pwd; exit 3',
  'cp busy:/etc/passwd -', 'cp busy:/nope -', 'export nope', 'commit nope',
  'container prune --filter label=nobody', 'container prune -f --filter label=nobody',
  'system prune -f --filter label=nobody', 'pause rest', 'unpause busy', 'kill rest',
  'kill -s NOPE busy', 'rename nope x', 'rename rest busy', 'rm busy', 'rm nope', 'rm -f nope',
  'restart nope', 'stop nope', 'stop rest', 'start nope', 'start -a nope', 'update nope',
  'update --restart nope rest', 'update -m 64m rest', 'create nope:x true', 'create --name busy x',
  'run --rm tsdocker-demo nope', 'run --rm tsdocker-demo /etc', 'attach rest', 'attach nope',
  'run|--rm|tsdocker-demo|sh|-c|echo o; exit 4', 'volume inspect vol nope', 'nope', 'rm', 'cp',
];

const templates = [
  '{{.State.Status}} {{.HostConfig.NetworkMode}}', '{{json .Config.Labels}}',
  '{{range $port, $at := .NetworkSettings.Ports}}{{$port}} {{len $at}}{{end}}',
  '{{join .Config.Cmd ","}}', '{{index .Config.Labels "x"}} {{upper .Name}} {{lower .Name}}',
  '{{if .State.Running}}up{{else}}down{{end}}', '{{.Nope}}', '{{', '{{println .Id}}',
  '{{printf "%s-%d" .Name 5}}', '{{split .Path "/"}} {{truncate .Name 3}} {{pad .Name 2 3}}',
  '{{with .State}}{{.ExitCode}}{{end}} {{eq 1 1}} {{and true false}} {{slice .Id 0 4}}',
  '{{.Mounts}}', '{{.Config.ExposedPorts}} {{.HostConfig.PortBindings}}', '{{.State}}',
  '{{.SizeRw}} {{.SizeRootFs}}', '{{.HostConfig.BlkioWeightDevice}} {{.HostConfig.Init}}',
  '{{.Config.Env}} {{.Config.Healthcheck}}',
];

async function populate(daemon: TestDaemon): Promise<void> {
  await importDemoImage(daemon.api);
  await run(daemon, {
    name: 'busy', command: ['sh', '-c', 'touch /new; rm /bin/true; exec sleep 1000'],
    config: { Labels: { x: 'y' }, ExposedPorts: { '80/tcp': {} }, Volumes: { '/anonymous': {} } },
    host: { Binds: ['vol:/data'], PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1' }] } },
  });
  await create(daemon, { name: 'rest', command: ['sleep', '5'], config: { Env: ['A=1'] } });
  const log = { Type: 'json-file', Config: { labels: 'l' } };
  const ended = await create(daemon, {
    name: 'ended', command: ['sh', '-c', 'echo one; echo two; exit 3'],
    config: { Labels: { l: 'm n' } }, host: { LogConfig: log },
  });
  await start(daemon, ended);
  await daemon.api.post(`/containers/${ended}/wait`);
  await until('it has begun', async () =>
    (await daemon.api.get('/containers/busy/changes')).text.includes('/bin/true'));
}

const wordsOf = (line: string): readonly string[] => line.split(line.includes('|') ? '|' : ' ');

test('tsdocker prints what docker prints, and ends as it ends', { skip: whyNot() }, async (t) => {
  const daemon = await startDaemon(t);
  const host = `unix://${daemon.socket}`;
  await populate(daemon);
  const both = async (words: readonly string[], name: string): Promise<void> => {
    const theirs = await docker(host, words);
    const ours = await tsdocker(host, words);
    t.same(lasting(ours), lasting({ code: theirs.code, stdout: theirs.stdout }), name);
  };
  for (const line of look) await both(wordsOf(line), line);
  for (const template of templates)
    for (const name of ['busy', 'rest']) await both(['inspect', '-f', template, name], template);
});
