/**
 * `npm run demo`: a daemon on roots of its own, an image made from Debian's static busybox, and
 * containers with a published port, a volume and a memory limit. Shows what starts cost, and leaves
 * nothing behind. Needs root.
 */
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { logEntries } from './log-frames.js';
import type { TestDaemon } from './daemon.js';
import { startDaemon } from './daemon.js';
import { importDemoImage } from './demo-image.js';
import type { Answer, EngineApi } from './engine-api.js';

const image = 'tsdocker-demo';
const memoryBytes = 64 * 1024 * 1024;
const rounds = 10;

function say(line = ''): void {
  process.stdout.write(`${line}\n`);
}

function good(answer: Answer): Answer {
  if (answer.status < 400) return answer;
  throw new Error(`status ${answer.status}: ${answer.text}`);
}

async function create(api: EngineApi, body: object): Promise<string> {
  return String(good(await api.post('/containers/create', { Image: image, ...body })).json.Id);
}

async function timedStart(api: EngineApi, id: string): Promise<number> {
  const startedAtMs = performance.now();
  good(await api.post(`/containers/${id}/start`));
  return performance.now() - startedAtMs;
}

function get(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', port, path: '/', timeout: 2000, agent: false },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => (text += part));
        answer.once('end', () => resolve(text));
      },
    );
    asked.once('error', reject).once('timeout', () => asked.destroy(new Error('no answer')));
    asked.end();
  });
}

/** A program that has just been started may need a moment before it listens. */
async function fetched(port: number): Promise<string> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await get(port);
    } catch (error) {
      if (attempt === 40) throw error;
      await sleep(25);
    }
  }
}

async function showWebServer({ api }: TestDaemon): Promise<string> {
  const id = await create(api, {
    Cmd: ['httpd', '-f', '-p', '80', '-h', '/www'],
    ExposedPorts: { '80/tcp': {} },
    HostConfig: {
      PortBindings: { '80/tcp': [{ HostPort: '' }] },
      Memory: memoryBytes,
      Binds: ['demo-data:/data'],
    },
  });
  const tookMs = await timedStart(api, id);
  const shown = good(await api.get(`/containers/${id}/json`)).json;
  const port = Number(shown.NetworkSettings.Ports['80/tcp'][0].HostPort);
  say(
    `A web server with a published port, a volume and ${memoryBytes / 1024 / 1024} MiB: ` +
      `started in ${tookMs.toFixed(1)} ms`,
  );
  say(`  GET http://127.0.0.1:${port}/  →  ${(await fetched(port)).trim()}`);
  return id;
}

async function output(api: EngineApi, body: object): Promise<string> {
  const id = await create(api, body);
  await timedStart(api, id);
  good(await api.post(`/containers/${id}/wait`));
  const log = good(await api.get(`/containers/${id}/logs?stdout=1&stderr=1`)).bytes;
  good(await api.delete(`/containers/${id}?force=1`));
  return Buffer.concat(logEntries(log).map((entry) => entry.bytes)).toString().trim();
}

async function showVolume({ api }: TestDaemon): Promise<void> {
  const HostConfig = { Binds: ['demo-data:/data'], NetworkMode: 'none' };
  await output(api, { Cmd: ['sh', '-c', 'echo kept > /data/note'], HostConfig });
  const kept = await output(api, { Cmd: ['cat', '/data/note'], HostConfig });
  say(`A volume outlives its containers: the next one reads «${kept}»`);
}

async function showRestart(daemon: TestDaemon, web: string): Promise<void> {
  await daemon.kill9();
  const startedAtMs = performance.now();
  await daemon.start();
  const state = good(await daemon.api.get(`/containers/${web}/json`)).json.State;
  const tookMs = (performance.now() - startedAtMs).toFixed(0);
  say(
    `kill -9 of the daemon, started again in ${tookMs} ms: ` +
      `the web server is ${String(state.Status)}`,
  );
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function showStartTimes({ api }: TestDaemon): Promise<void> {
  for (const [label, HostConfig] of [
    ['without network', { NetworkMode: 'none' }],
    ['on a bridge with a published port', { PortBindings: { '80/tcp': [{ HostPort: '' }] } }],
  ] as const) {
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const id = await create(api, { Cmd: ['true'], HostConfig });
      times.push(await timedStart(api, id));
      good(await api.post(`/containers/${id}/wait`));
      good(await api.delete(`/containers/${id}?force=1`));
    }
    say(`Start of a container ${label}: ${median(times).toFixed(1)} ms (median of ${rounds})`);
  }
}

async function demo(daemon: TestDaemon): Promise<void> {
  say(`tsdockerd answers on unix://${daemon.socket}`);
  await importDemoImage(daemon.api);
  say(`Image ${image}, made from Debian's static busybox`);
  say();
  const web = await showWebServer(daemon);
  await showVolume(daemon);
  await showRestart(daemon, web);
  await showStartTimes(daemon);
  say();
  good(await daemon.api.delete(`/containers/${web}?force=1&v=1`));
  good(await daemon.api.delete('/volumes/demo-data'));
}

async function main(): Promise<number> {
  if (process.geteuid?.() !== 0) {
    say('The demo needs root, as every container engine does: sudo npm run demo');
    return 1;
  }
  const cleaning: (() => unknown)[] = [];
  let passed = false;
  try {
    const daemon = await startDaemon({
      teardown: (run) => cleaning.push(run),
      passing: () => passed,
      comment: say,
    });
    await demo(daemon);
    passed = true;
  } finally {
    for (const run of cleaning.reverse()) await run();
  }
  say('Everything is stopped and removed.');
  return 0;
}

process.exitCode = await main();
