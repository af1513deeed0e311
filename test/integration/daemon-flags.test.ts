/** Every flag and key of the daemon: what it is said to do can be seen, here or elsewhere. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test, type Test } from 'tap';
import type { Network, SystemInfo } from '../../api-spec/index.js';
import { optionSpecs } from '../../daemon/config/options.js';
import { makeCertificates } from '../support/certificates.js';
import { output, run } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { docker, dockerProgram } from '../support/docker-cli.js';
import { buildImage, digest } from '../support/image-builder.js';
import { startLyingRegistry } from '../support/lying-registry.js';
import { ownAddress } from '../support/own-address.js';
import { tarOf } from '../support/tar.js';

const root = process.getuid?.() === 0;
const needsRoot = { skip: root ? false : 'a daemon needs root' };
const noClient = dockerProgram() === undefined && 'there is no docker client: .ci/setup tests';
const self = fileURLToPath(import.meta.url);

/** Options whose effect another suite shows; it says their names. */
const elsewhere: Readonly<Record<string, string>> = {
  'builder': 'integration/build-cache-mounts',
  'cpu-rt-period': 'integration/realtime',
  'cpu-rt-runtime': 'integration/realtime',
  'cdi-spec-dirs': 'integration/cdi',
  'default-runtime': 'integration/other-runtimes',
  'features': 'integration/cdi',
  'ip-forward': 'integration/firewalls',
  'live-restore': 'unit/daemon/config/read-config',
  'rootless': 'integration/rootless',
  'runtimes': 'integration/other-runtimes',
  'tls': 'unit/daemon/config/read-config',
  'userns-remap': 'integration/userns-remap',
};

/** Whether a suite speaks of an option, as a flag or as a key. */
function isNamed(key: string, flag: string | undefined, text: string): boolean {
  const quoted = [`'${key}'`, `"${key}"`, `--${flag ?? key}`, `\n  ${key}:`, `{ ${key}:`];
  return quoted.some((name) => text.includes(name));
}

test('no option is without a proof of its effect', async (t) => {
  const here = readFileSync(self, 'utf8');
  const support = readFileSync(new URL('../support/daemon.js', import.meta.url), 'utf8');
  // What this test says itself is no proof.
  const own = here.slice(here.indexOf('no option is without a proof'));
  for (const [key, { flag, ...spec }] of optionSpecs) {
    if ('ignored' in spec || 'refused' in spec) continue;
    const suite = elsewhere[key];
    const text =
      suite === undefined
        ? own + support
        : readFileSync(join(dirname(self), '..', `${suite}.test.js`), 'utf8');
    t.ok(isNamed(key, flag, text), `${key} in ${suite ?? 'this suite'}`);
  }
});

const isV2 = existsSync('/sys/fs/cgroup/cgroup.controllers');
/** Not what a daemon does that is told nothing. */
const cgroupnsMode = isV2 ? 'host' : 'private';
const profile = {
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 }],
};

test('containers that say nothing get what daemon.json says', needsRoot, async (t) => {
  const parent = `tsd-parent-${randomBytes(4).toString('hex')}`;
  t.teardown(() => removeGroups(parent));
  const folder = t.testdir({ 'seccomp.json': JSON.stringify(profile) });
  const path = join(folder, 'seccomp.json');
  const daemon = await startDaemon(t, {
    daemonJson: {
      'cgroup-parent': parent,
      'default-cgroupns-mode': cgroupnsMode,
      'default-ipc-mode': 'shareable',
      'default-shm-size': '8M',
      'default-ulimits': { nofile: { Name: 'nofile', Soft: 123, Hard: 456 } },
      'dns': ['192.0.2.53'],
      'dns-opts': ['ndots:7'],
      'dns-search': ['flags.example'],
      'exec-opts': ['native.cgroupdriver=cgroupfs'],
      'host-gateway-ips': ['192.0.2.77'],
      'init': true,
      'log-driver': 'local',
      'log-opts': { 'max-size': '77k' },
      'no-new-privileges': true,
      'seccomp-profile': path,
      'storage-driver': 'vfs',
    },
  });
  await importDemoImage(daemon.api);
  const script = [
    'cat /etc/resolv.conf', 'grep gate /etc/hosts', 'ulimit -n', 'ulimit -Hn',
    'df -k /dev/shm | tail -n1', 'cat /proc/1/comm', 'grep NoNewPrivs /proc/self/status',
    'mkdir /made 2>&1',
  ].join('; ');
  const host = { ExtraHosts: ['gate:host-gateway'] };
  const { text } = await output(daemon, { command: ['sh', '-c', script], host });
  for (const wanted of [
    'nameserver 192.0.2.53\n', 'options ndots:7\n', 'search flags.example\n', '192.0.2.77\tgate\n',
    /^123\n456\n/m, /^shm +8192 /m, /^docker-init\n/m, /^NoNewPrivs:\t1\n/m,
    'No space left on device',
  ]) t.match(text, wanted);

  await t.test('a container that speaks for itself is heard', async (t) => {
    const SecurityOpt = ['no-new-privileges=false', 'seccomp=unconfined'];
    const own = { SecurityOpt, Init: false, IpcMode: 'private', ShmSize: 2 ** 20 };
    const script = 'mkdir /made && grep NoNewPrivs /proc/self/status; df -k /dev/shm';
    const command = ['sh', '-c', script];
    t.match((await output(daemon, { command, host: own })).text, /NoNewPrivs:\t0\n[^]*shm +1024 /);
  });
  const id = await run(daemon, { command: ['sleep', '600'], host });
  const { json } = await daemon.api.get(`/containers/${id}/json`);
  t.match(json, {
    Driver: 'vfs',
    HostConfig: {
      CgroupnsMode: cgroupnsMode, CgroupParent: parent, IpcMode: 'shareable', Init: true,
      LogConfig: { Type: 'local', Config: { 'max-size': '77k' } },
    },
  });
  const pid = Number(json.State.Pid);
  t.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), `/${parent}/${id}\n`);
  const isOwn = namespaceOf(pid) !== namespaceOf('self');
  t.equal(isOwn, cgroupnsMode === 'private', 'its cgroup namespace');
  const joins = { IpcMode: `container:${id}` };
  t.equal((await output(daemon, { command: ['true'], host: joins })).code, 0, 'it is shareable');
  const info = (await daemon.api.get('/info')).json as SystemInfo;
  t.match(info, { Driver: 'vfs', LoggingDriver: 'local', CgroupDriver: 'cgroupfs' });
  for (const word of [`name=seccomp,profile=${path}`, 'name=no-new-privileges'])
    t.ok(info.SecurityOptions.some((one) => one === word), word);
  t.match(info.Warnings?.[0], 'WARNING: daemon is not using the default seccomp profile');

  await t.test('it stays where it is when the daemon has another parent', async (t) => {
    await daemon.stop();
    writeFileSync(configOf(daemon), JSON.stringify({ 'storage-driver': 'vfs' }));
    await daemon.start();
    t.equal((await daemon.api.get(`/containers/${id}/json`)).json.State.Pid, pid);
    t.equal((await daemon.api.post(`/containers/${id}/pause`)).status, 204);
    t.equal((await daemon.api.post(`/containers/${id}/unpause`)).status, 204);
  });
});

const namespaceOf = (pid: number | 'self'): number =>
  Number(statSync(`/proc/${pid}/ns/cgroup`, { bigint: true }).ino);

const configOf = ({ command }: TestDaemon): string =>
  command[command.indexOf('--config-file') + 1] ?? '';

/** Parents that an operator names are the operator's: the engine lets them stand. */
function removeGroups(parent: string): void {
  const roots = readdirSync('/sys/fs/cgroup').map((name) => join('/sys/fs/cgroup', name, parent));
  for (const path of [join('/sys/fs/cgroup', parent), ...roots]) {
    if (existsSync(path)) rmdirSync(path);
  }
}

test('the default bridge is as flags say', needsRoot, async (t) => {
  const daemon = await startDaemon(t, {
    flags: [
      '--mtu', '1234', '--icc=false', '--ip-masq=false', '--label', 'a=b', '--label', 'c=d',
      '--debug', '--log-format', 'json', '--group', 'nogroup', '--ip', '127.0.0.1',
      '--insecure-registry', 'plain.example',
      '--default-network-opt', 'bridge=com.docker.network.driver.mtu=1300',
    ],
  });
  await daemon.stop();
  const [gateway = ''] = daemon.address.split('/');
  const upper = gateway.replace(/\.1$/, '.128/25');
  const way = gateway.replace(/\.1$/, '.2');
  await daemon.start('--fixed-cidr', upper, '--default-gateway', way);
  await importDemoImage(daemon.api);
  const script = 'cat /sys/class/net/eth0/mtu; ip route; ip addr show eth0';
  const { text } = await output(daemon, { command: ['sh', '-c', script] });
  t.match(text, `1234\ndefault via ${way} dev eth0`);
  t.match(text, `inet ${gateway.replace(/\.1$/, '.128')}/24`);
  t.match((await daemon.api.get('/networks/bridge')).json, {
    Options: {
      'com.docker.network.bridge.enable_icc': 'false',
      'com.docker.network.bridge.enable_ip_masquerade': 'false',
      'com.docker.network.bridge.host_binding_ipv4': '127.0.0.1',
      'com.docker.network.bridge.name': daemon.bridge,
    },
  });
  await daemon.api.post('/networks/create', { Name: 'of-the-pool' });
  const { IPAM, Options } = (await daemon.api.get('/networks/of-the-pool')).json;
  t.equal(Options['com.docker.network.driver.mtu'], '1300');
  t.match(IPAM.Config[0].Subnet, /\/26$/, '--default-address-pool');
  t.match((await daemon.api.get('/info')).json, {
    Labels: ['a=b', 'c=d'], Debug: true, DockerRootDir: daemon.dataRoot,
    RegistryConfig: { IndexConfigs: { 'plain.example': { Secure: false } } },
  });
  t.equal(statSync(daemon.socket).gid, groupOf('nogroup'));
  t.equal(statSync(daemon.socket).mode & 0o777, 0o660);
  t.equal(readFileSync(join(dirname(daemon.socket), 'pid'), 'utf8'), String(daemon.pid()));
  t.match(daemon.log(), /^\{"level":"info",.*"the daemon is ready"\}$/m);
  await daemon.stop();
  const before = daemon.log().length;
  await daemon.start('--debug=false', '--log-level', 'error');
  t.equal(daemon.log().slice(before), '', 'what is no error is not told');
});

const groupOf = (name: string): number =>
  Number(new RegExp(`^${name}:[^:]*:(\\d+)`, 'm').exec(readFileSync('/etc/group', 'utf8'))?.[1]);

test('without a default bridge there is none', needsRoot, async (t) => {
  const daemon = await startDaemon(t, { isBridgeless: true });
  const networks = (await daemon.api.get('/networks')).json as Network[];
  t.same(networks.map(({ Name }) => Name).sort(), ['host', 'none']);
});

/** Listens on an address; where it is. */
async function listening(t: Test, address: string, answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  t.teardown(() => server.close());
  // A server that listens on a port has an AddressInfo.
  return `${address}:${(server.address() as AddressInfo).port}`;
}

test('registries are asked as flags say', needsRoot, async (t) => {
  const server = await startLyingRegistry();
  t.teardown(() => server.stop());
  const files = ['a', 'b', 'c'].map((name) => tarOf([{ name, content: name }]));
  const image = buildImage(files);
  server.serve('library/flagged', '1', image);
  const broken = buildImage([tarOf([{ name: 'x', content: 'x' }])]);
  server.serve('broken', '1', broken);
  const listed = await ownAddress(t);
  const unlisted = await ownAddress(t);
  const asked: string[] = [];
  const answer: RequestListener = (request, response) => {
    asked.push(request.headers.host ?? '');
    response.writeHead(404).end('{}');
  };
  const daemon = await startDaemon(t, {
    flags: [
      '--registry-mirror', `http://${server.host}`, '--insecure-registry', `${listed}/32`,
      '--max-concurrent-downloads', '1', '--max-download-attempts', '1',
    ],
  });
  const pull = async (name: string): Promise<string> =>
    (await daemon.api.post(`/images/create?fromImage=${name}`)).text;

  await t.test('--registry-mirror, --max-concurrent-downloads', async (t) => {
    let [now, most] = [0, 0];
    server.fault = (request, response) => {
      const blob = image.layers.find((layer) => request.url?.endsWith(digest(layer)));
      if (blob === undefined) return false;
      most = Math.max(most, (now += 1));
      setTimeout(() => {
        now -= 1;
        response.end(blob);
      }, 50);
      return true;
    };
    t.match(await pull('flagged:1'), 'Downloaded newer image for flagged:1');
    t.equal(most, 1, 'never two at once');
  });
  await t.test('--max-download-attempts', async (t) => {
    let attempts = 0;
    server.fault = (request, response) => {
      if (!broken.layers.some((layer) => request.url?.endsWith(digest(layer)))) return false;
      attempts += 1;
      response.destroy();
      return true;
    };
    t.match(await pull(`${server.host}/broken:1`), /"errorDetail"/);
    t.equal(attempts, 1);
  });
  await t.test('--insecure-registry', async (t) => {
    await pull(`${await listening(t, listed, answer)}/x:1`);
    t.equal(asked.length > 0, true, 'asked without TLS');
    asked.length = 0;
    await pull(`${await listening(t, unlisted, answer)}/x:1`);
    t.same(asked, [], 'nobody else is');
  });
});

test('two more addresses, one of them TCP by mutual TLS', {
  skip: root ? noClient : 'a daemon needs root',
}, async (t) => {
  const certificates = makeCertificates(t);
  const { folder } = certificates;
  const port = await freePort();
  const daemon = await startDaemon(t);
  await daemon.stop();
  const second = `${daemon.socket}2`;
  await daemon.start(
    '--host', `unix://${second}`, '-H', `tcp://127.0.0.1:${port}`, '--tlsverify',
    '--tlscacert', join(folder, 'ca.crt'), '--tlscert', join(folder, 'server.crt'),
    '--tlskey', join(folder, 'server.key'),
  );
  const version = (host: string, environment = {}) =>
    docker(host, ['version', '-f', '{{.Server.Os}}'], { environment });
  const tls = (name: 'client' | 'stranger') =>
    ({ DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: certificates.clientFolder(name) });
  const linux = { code: 0, stdout: 'linux\n' };
  t.match(await version(`unix://${daemon.socket}`), linux);
  t.match(await version(`unix://${second}`), linux);
  t.match(await version(`tcp://localhost:${port}`, tls('client')), linux);
  t.match(await version(`tcp://localhost:${port}`, tls('stranger')), { code: 1, stdout: /^\n?$/ });
  t.match(await version(`tcp://localhost:${port}`), { code: 1, stdout: /^\n?$/ });
  await importDemoImage(daemon.api);
  await run(daemon, { name: 'box', command: ['sleep', '1000'] });
  // Without input, its output would else go past whoever encrypts it.
  const exec = await docker(`tcp://localhost:${port}`, ['exec', 'box', 'echo', 'said'], {
    environment: tls('client'),
  });
  t.match(exec, { code: 0, stdout: 'said\n' });
});

/** One that nobody has now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // A server that listens on a port has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('a profile that cannot be read ends the daemon with its reason', needsRoot, async (t) => {
  const path = join(t.testdir({ bad: '{"defaultAction": 1}' }), 'bad');
  await t.rejects(startDaemon(t, { flags: ['--seccomp-profile', path] }), {
    message: new RegExp(`opening seccomp profile \\(${path}\\) failed: `),
  });
});
