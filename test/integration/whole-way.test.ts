/**
 * A container through every layer, and over the death of its daemon: short enough to be run on
 * other kernels too, where each step takes twenty times as long.
 */
import { request } from 'node:http';
import { test } from 'tap';
import type { ContainerInspectResponse } from '../../api-spec/index.js';
import { logText, output, run, until } from '../support/containers.js';
import { startDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';

const patienceMs = 60_000;
const greeting = 'Hello from a container of tsdocker.\n';

/** What a web server answers; undefined when nobody does. */
function fetched(port: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const ask = request({ host: '127.0.0.1', port, agent: false, timeout: 10_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.once('end', () => resolve(text)).once('error', () => resolve(undefined));
    });
    ask.once('timeout', () => ask.destroy());
    ask.once('error', () => resolve(undefined)).end();
  });
}

test('a container with a network, a name, a port, a volume and a limit', {
  skip: process.getuid?.() === 0 ? false : 'a daemon needs root',
}, async (t) => {
  const daemon = await startDaemon(t, { flags: ['--storage-driver', 'overlay'] });
  const { api } = daemon;
  await importDemoImage(api);
  t.equal((await api.post('/networks/create', { Name: 'way' })).status, 201);
  const host = { NetworkMode: 'way', Binds: ['way-data:/data'] };
  const id = await run(daemon, {
    name: 'web',
    command: ['sh', '-c', 'trap "exit 7" TERM; echo begun; httpd -f -h /www & wait'],
    host: { ...host, Memory: 64 * 2 ** 20, PortBindings: { '80/tcp': [{ HostPort: '' }] } },
  });
  const shown = async () =>
    (await api.get(`/containers/${id}/json`)).json as ContainerInspectResponse;
  const { State, NetworkSettings } = await shown();
  const port = NetworkSettings.Ports['80/tcp']?.[0]?.HostPort ?? '';
  const answers = async () => (await fetched(port)) === greeting;
  await until('the port answers', answers, patienceMs);
  const script = 'wget -qO- http://web/; echo kept > /data/note; echo x > /written; cat /written';
  const other = await output(daemon, { command: ['sh', '-c', script], host });
  t.match(other, { code: 0, text: `${greeting}x\n` }, 'by its name');
  const { json: figures } = await api.get(`/containers/${id}/stats?stream=false&one-shot=true`);
  t.match(figures, {
    name: '/web', os_type: 'linux', pids_stats: { current: 2 },
    memory_stats: { usage: Number, limit: 64 * 2 ** 20, stats: { active_anon: Number } },
    cpu_stats: { system_cpu_usage: Number, online_cpus: Number, cpu_usage: Object },
    networks: { eth0: { rx_bytes: Number, tx_packets: Number } },
  });
  t.ok(figures.networks.eth0.rx_packets >= 4, 'who asked the port and the name is counted');

  await daemon.kill9();
  t.equal(await answers(), true, 'without a daemon');
  await daemon.start();
  t.match((await shown()).State, { Running: true, Pid: State.Pid });
  t.equal(await answers(), true);
  t.match(await output(daemon, { command: ['cat', '/data/note'], host }), { text: 'kept\n' });
  t.equal((await api.post(`/containers/${id}/stop?t=60`)).status, 204);
  t.equal((await shown()).State.ExitCode, 7);
  t.equal(await logText(daemon, id), 'begun\n');
  t.equal((await api.delete(`/containers/${id}`)).status, 204);
  t.equal((await api.delete('/volumes/way-data')).status, 204);
  t.equal((await api.delete('/networks/way')).status, 204);
  t.equal((await api.delete('/images/tsdocker-demo')).status, 200);
});
