/** `--rootless` when the process that holds the namespaces has been killed. */
import * as fs from 'node:fs';
import { test, type Test } from 'tap';
import { codeOf } from '../../native/errno-error.js';
import { output, run, stateOf, until } from '../support/containers.js';
import type { TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { heard } from '../support/heard.js';
import { processesOf } from '../support/leaks.js';
import { processesOfUser, startRootless } from '../support/ordinary-user.js';
import { inPrivateNetns } from '../support/private-netns.js';

const needsRoot = {
  skip: process.getuid?.() === 0 ? false : 'only root can become another user', timeout: 240_000,
};

/** Who holds the namespaces of the user, by pid. */
function holders(): readonly number[] {
  return processesOfUser().filter((pid) => commOf(pid) === 'tsdocker-hold');
}

function commOf(pid: number): string {
  try {
    return fs.readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch (error) {
    if (codeOf(error) !== '') return '';
    throw error;
  }
}

async function killHolder(): Promise<number> {
  const [pid, ...others] = holders();
  if (pid === undefined || others.length > 0) throw new Error(`holders: ${holders().join()}`);
  process.kill(pid, 'SIGKILL');
  await until('it is gone', async () => holders().length === 0);
  return pid;
}

const serve = ['sh', '-c', 'while true; do echo served | nc -l -p 80; done'];

async function serving(daemon: TestDaemon, name: string, port: number, more = {}): Promise<string> {
  const host = { PortBindings: { '80/tcp': [{ HostPort: String(port) }] }, ...more };
  return run(daemon, { name, command: serve, host });
}

async function begin(t: Test): Promise<TestDaemon> {
  const daemon = await startRootless(t);
  await importDemoImage(daemon.api);
  return daemon;
}

const answers = (port: number): Promise<void> =>
  until(`port ${port}`, async () => (await heard('127.0.0.1', port)) === 'served');

if (inPrivateNetns(import.meta.url)) {
  test('the next daemon makes new namespaces, and adopts the containers', needsRoot, async (t) => {
    const daemon = await begin(t);
    const id = await serving(daemon, 'web', 8080);
    const { Pid: pid } = await stateOf(daemon, id);
    const held = await killHolder();
    await daemon.stop();
    await daemon.start();
    t.equal(holders().length, 1);
    t.not(holders()[0], held);
    t.match(await stateOf(daemon, id), { Status: 'running', Pid: pid }, 'it has not ended');
    await answers(8080);
    t.pass('its port is still served');
    t.equal((await output(daemon, { command: ['true'] })).code, 0, 'another one runs');
    t.equal((await daemon.api.post(`/containers/${id}/restart?t=0`)).status, 204);
    t.not((await stateOf(daemon, id)).Pid, pid);
    await answers(8080);
    const ask = ['nc', '-w', '5', await addressOf(daemon, id), '80'];
    t.match(await output(daemon, { command: ask }), { code: 0, text: /served/ },
      'and both are in one network');
    t.equal((await daemon.api.delete(`/containers/${id}?force=1`)).status, 204);
  });

  test('containers can be stopped and removed, and those that end are restarted', needsRoot,
    async (t) => {
      const daemon = await begin(t);
      const policy = { RestartPolicy: { Name: 'always' } };
      const [stopped, removed, again] = [
        await serving(daemon, 'stopped', 8081), await serving(daemon, 'removed', 8082),
        await serving(daemon, 'again', 8083, policy),
      ];
      await killHolder();
      await daemon.kill9();
      await daemon.start();
      t.equal((await daemon.api.post(`/containers/${stopped}/stop?t=1`)).status, 204);
      t.equal((await daemon.api.delete(`/containers/${removed}?force=1`)).status, 204);
      const { Pid: pid } = await stateOf(daemon, again);
      process.kill(pid, 'SIGKILL');
      await until('it runs again', async () => {
        const state = await stateOf(daemon, again);
        return state.Status === 'running' && state.Pid !== pid;
      }, 60_000);
      await answers(8083);
      t.equal((await daemon.api.post(`/containers/${stopped}/start`)).status, 204);
      await answers(8081);
      t.equal(await heard('127.0.0.1', 8082), '');
      for (const each of [stopped, again]) {
        t.equal((await daemon.api.delete(`/containers/${each}?force=1`)).status, 204);
      }
      await daemon.stop();
      await until('nothing is left', async () => processesOf(daemon).length === 0, 120_000);
    });
}

async function addressOf({ api }: TestDaemon, id: string): Promise<string> {
  const { json } = await api.get(`/containers/${id}/json`);
  return String(json.NetworkSettings.Networks.bridge.IPAddress);
}
