/** The calls that Traefik, Portainer, Nomad and cri-dockerd make, one check for each habit. */
import { connect } from 'node:net';
import { onBothEngines, type Engine, type Test } from '../../support/compat.js';
import { until } from '../../support/containers.js';

const sleeper = ['sleep', '600'];

type Json = Readonly<Record<string, unknown>>;

const filters = (value: Json): string => `filters=${encodeURIComponent(JSON.stringify(value))}`;

async function make({ api, tag, image }: Engine, suffix: string, body: Json = {}): Promise<string> {
  const path = `/containers/create?name=${tag}-${suffix}`;
  const { status, json, text } = await api.post(path, { Image: image, Cmd: sleeper, ...body });
  if (status !== 201) throw new Error(`create: ${status} ${text}`);
  return String(json.Id);
}

async function run(engine: Engine, suffix: string, body: Json = {}): Promise<string> {
  const id = await make(engine, suffix, body);
  const { status, text } = await engine.api.post(`/containers/${id}/start`);
  if (status !== 204) throw new Error(`start: ${status} ${text}`);
  return id;
}

/** Keeps what a stream of JSON lines tells; `end` is for a teardown. */
async function listen({ api }: Engine, path: string) {
  const response = await api.open(path);
  let text = '';
  response.setEncoding('utf8').on('data', (part: string) => (text += part));
  response.on('error', () => undefined);
  return { told: () => text, end: () => response.destroy() };
}

/** A request for an upgrade with its body, as a raw client sends it; what comes is kept. */
function hijack({ socket: path }: Engine, url: string, body: Json) {
  const socket = connect({ path, allowHalfOpen: true });
  const text = JSON.stringify(body);
  let said = '';
  socket.setEncoding('utf8').on('data', (part: string) => (said += part)).on('error', () => {
    said += '(broken)';
  });
  socket.write(
    `POST ${url} HTTP/1.1\r\nHost: engine\r\nContent-Type: application/json\r\n` +
      `Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
  return { socket, said: () => said };
}

async function traefik(t: Test, engine: Engine): Promise<void> {
  const { api, tag } = engine;
  const wanted = filters({ type: { container: true }, event: { start: true, die: true,
    health_status: true } });
  const events = await listen(engine, `/events?${wanted}`);
  t.teardown(events.end);
  await api.post('/networks/create', { Name: `${tag}-net` });
  const id = await run(engine, 'web', {
    Labels: { 'traefik.enable': 'true', [tag]: 'x' }, ExposedPorts: { '80/tcp': {} },
    Healthcheck: { Test: ['CMD', 'true'], Interval: 300_000_000, Timeout: 5_000_000_000 },
    HostConfig: { NetworkMode: `${tag}-net` },
  });
  const { json: list } = await api.get(`/containers/json?all=1&${filters({ label: [tag] })}`);
  t.match(list, [{ Id: id, Labels: { 'traefik.enable': 'true' }, State: 'running' }]);
  await until('it is healthy', async () =>
    (await api.get(`/containers/${id}/json`)).json.State.Health.Status === 'healthy');
  const { json } = await api.get(`/containers/${id}/json`);
  t.match(json.NetworkSettings.Networks[`${tag}-net`], { IPAddress: /^\d+\./, NetworkID: /./ });
  t.same(json.NetworkSettings.Ports, { '80/tcp': null });
  t.match(json.HostConfig, { NetworkMode: `${tag}-net` });
  await api.post(`/containers/${id}/kill`);
  const actions = ['start', 'health_status: healthy', 'die'];
  await until('all of it is told', async () => actions.every((action) =>
    events.told().includes(`"Action":"${action}"`) && events.told().includes(id)));
}

async function portainer(t: Test, engine: Engine): Promise<void> {
  const { api } = engine;
  for (const path of ['/_ping', '/info', '/version', '/plugins', '/volumes', '/networks',
    '/images/json?all=0', '/containers/json?all=1&size=1', '/system/df']) {
    t.equal((await api.get(path)).status, 200, path);
  }
  for (const path of ['/swarm', '/services', '/tasks', '/nodes', '/secrets', '/configs'])
    t.equal((await api.get(path)).status, 503, path);
  t.match((await api.get('/info')).json, {
    Swarm: { LocalNodeState: 'inactive' }, Plugins: { Volume: ['local'] }, NCPU: Number,
    MemTotal: Number, Images: Number,
  });
  const id = await run(engine, 'a');
  const { json: sample } = await api.get(`/containers/${id}/stats?stream=false`);
  t.match(sample, {
    cpu_stats: { cpu_usage: { total_usage: Number }, system_cpu_usage: Number },
    precpu_stats: { cpu_usage: { total_usage: Number }, system_cpu_usage: Number },
    memory_stats: { usage: Number, limit: Number }, networks: { eth0: { rx_bytes: Number } },
  });
}

async function openConsole(t: Test, engine: Engine): Promise<void> {
  const { api } = engine;
  const id = await run(engine, 'a');
  const { json: exec } = await api.post(`/containers/${id}/exec`, {
    AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: true, Cmd: ['sh'],
  });
  const wire = hijack(engine, `/exec/${exec.Id}/start`, { Detach: false, Tty: true });
  t.teardown(() => wire.socket.destroy());
  await until('it is taken over', async () => wire.said().includes('\r\n\r\n'));
  t.match(wire.said(), /^HTTP\/1\.1 101 UPGRADED\r\n/);
  t.equal((await api.post(`/exec/${exec.Id}/resize?h=33&w=99`)).status, 200);
  wire.socket.write('stty size; exit 5\n');
  await until('the shell has ended', async () => wire.socket.readableEnded);
  t.match(wire.said(), /33 99/);
  t.match((await api.get(`/exec/${exec.Id}/json`)).json, { ExitCode: 5, Running: false });
}

async function nomad(t: Test, engine: Engine): Promise<void> {
  const { api, tag } = engine;
  const old = await run(engine, 'task');
  const body = { Image: engine.image, Cmd: ['sh', '-c', 'echo begun; sleep 0.5; exit 3'] };
  const taken = await api.post(`/containers/create?name=${tag}-task`, body);
  t.equal(taken.status, 409);
  t.match(/is already in use by container "?([0-9a-z]+)/.exec(taken.json.message)?.[1], old);
  t.equal((await api.delete(`/containers/${old}?force=1`)).status, 204);
  const id = await make(engine, 'task', {
    ...body, HostConfig: { Memory: 64 * 1024 * 1024, PidsLimit: 50 },
  });
  t.equal((await api.post(`/containers/${id}/start`)).status, 204);
  const ended = api.post(`/containers/${id}/wait`);
  const now = Math.floor(Date.now() / 1000) - 60;
  const logs = await api.get(`/containers/${id}/logs?stdout=1&stderr=1&follow=1&since=${now}`);
  t.match(logs.text, /begun\n$/);
  t.match((await ended).json, { StatusCode: 3 });
  t.match((await api.get(`/containers/${id}/json`)).json.State, {
    ExitCode: 3, OOMKilled: false, Status: 'exited',
  });
  t.equal((await api.post(`/containers/${id}/stop?t=1`)).status, 304);
  t.equal((await api.delete(`/containers/${id}`)).status, 204);
  t.equal((await api.post(`/containers/${id}/stop?t=1`)).status, 404);
}

async function pod(t: Test, engine: Engine): Promise<void> {
  const { api, tag } = engine;
  const labels = (type: string) => ({ 'io.kubernetes.docker.type': type, [tag]: 'pod' });
  const sandbox = await run(engine, 'sandbox', {
    Hostname: 'pod', Labels: labels('podsandbox'),
    HostConfig: { IpcMode: 'shareable', SecurityOpt: ['seccomp=unconfined'] },
  });
  const { json: info } = await api.get('/info');
  t.match(info, { CgroupDriver: /^(cgroupfs|systemd)$/, OSType: 'linux' });
  const box = (await api.get(`/containers/${sandbox}/json`)).json;
  t.match(box, { ResolvConfPath: /^\//, LogPath: new RegExp(`${sandbox}-json\\.log$`) });
  t.ok(box.State.Pid > 0);
  const mode = `container:${sandbox}`;
  const id = await run(engine, 'container', {
    Labels: labels('container'),
    Cmd: ['sh', '-c', 'hostname; tr "\\0" " " < /proc/1/cmdline; echo; exec sleep 600'],
    HostConfig: { NetworkMode: mode, IpcMode: mode, PidMode: mode,
      MaskedPaths: ['/proc/acpi'], ReadonlyPaths: ['/proc/sys'] },
  });
  await until('it has spoken', async () =>
    /pod\n[^]*sleep 600 /.test((await api.get(`/containers/${id}/logs?stdout=1`)).text));
  const listed = await api.get(`/containers/json?all=1&${filters({
    label: { [`${tag}=pod`]: true, 'io.kubernetes.docker.type=container': true },
  })}`);
  t.match(listed.json, [{ Id: id }]);
  t.equal(listed.json.length, 1);
  t.equal((await api.post(`/containers/${id}/stop?t=0`)).status, 204);
}

onBothEngines('calls of other tools', false, async (_t, engine) => {
  const check = (says: string, script: (t: Test, engine: Engine) => Promise<void>) =>
    engine.check(says, (t) => script(t, engine));
  await check('Traefik lists, inspects and follows events', traefik);
  await check('Portainer looks at everything', portainer);
  await check('Portainer opens a console', openConsole);
  await check('Nomad purges who has the name, waits and reads', nomad);
  await check('cri-dockerd makes a pod', pod);
});
