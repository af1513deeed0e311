/** A container's network is set up in a namespace that was made before its start. */
import * as fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { create, output, stateOf, until } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { heard } from '../support/heard.js';
import { heldNetns, linkOf } from '../support/held-netns.js';
import { inPrivateNetns } from '../support/private-netns.js';

const needsRoot = {
  skip: process.getuid?.() === 0 ? false : 'namespaces need root', timeout: 120_000,
};

const serve = { command: ['sh', '-c', 'echo served | nc -l -p 80'] };

async function spareOf(daemon: TestDaemon): Promise<string> {
  await until('a namespace is ready', async () => heldNetns(daemon.pid()).length > 0);
  return heldNetns(daemon.pid())[0] ?? '';
}

/** It may not listen yet. */
const answers = (host: string, port: number): Promise<void> =>
  until(`${host}:${port} answers`, async () => (await heard(host, port)) === 'served');

async function addressOf({ api }: TestDaemon, id: string): Promise<string> {
  const { json } = await api.get(`/containers/${id}/json`);
  return String(Object.values<{ IPAddress: string }>(json.NetworkSettings.Networks)[0]?.IPAddress);
}

if (inPrivateNetns(import.meta.url)) {
  test('a container is born into it, with its links, names and ports', needsRoot, async (t) => {
    const daemon = await startDaemon(t);
    await importDemoImage(daemon.api);
    await daemon.api.post('/networks/create', { Name: 'own' });
    t.same(heldNetns(daemon.pid()), [], 'none is made for nobody');
    const id = await create(daemon, {
      ...serve, name: 'web',
      host: { NetworkMode: 'own', PortBindings: { '80/tcp': [{ HostPort: '8080' }] } },
    });
    const spare = await spareOf(daemon);
    t.equal((await daemon.api.post(`/containers/${id}/start`)).status, 204);
    const { Pid: pid } = await stateOf(daemon, id);
    t.equal(linkOf(`/proc/${pid}/ns/net`), spare);
    t.same(heldNetns(daemon.pid()), [], 'nobody else has it any more');
    const { PPid: shim } = Object.fromEntries(
      fs.readFileSync(`/proc/${pid}/status`, 'utf8').split('\n').map((line) => line.split(':\t')));
    t.same(heldNetns(Number(shim)), [], 'nor does who looks after it');
    const lookUp = ['nslookup', 'web', '127.0.0.11'];
    const found = await output(daemon, { command: lookUp, host: { NetworkMode: 'own' } });
    t.match(found.text, await addressOf(daemon, id), 'its name is known');
    await answers('127.0.0.1', 8080);
    await until('it ends', async () => (await stateOf(daemon, id)).Status === 'exited');

    t.equal((await daemon.api.post(`/containers/${id}/start`)).status, 204);
    const again = await stateOf(daemon, id);
    t.not(linkOf(`/proc/${again.Pid}/ns/net`), spare, 'the next start makes another');
    await answers('127.0.0.1', 8080);
  });

  test('after a kill between create and start nothing of it is left', needsRoot, async (t) => {
    const daemon = await startDaemon(t);
    await importDemoImage(daemon.api);
    const id = await create(daemon, { ...serve, name: 'web' });
    await spareOf(daemon);
    await daemon.kill9();
    await daemon.start();
    t.same(heldNetns(daemon.pid()), []);
    t.equal((await daemon.api.post(`/containers/${id}/start`)).status, 204);
    await answers(await addressOf(daemon, id), 80);
  });

  test('a start that fails gives it back', needsRoot, async (t) => {
    const daemon = await startDaemon(t);
    await importDemoImage(daemon.api);
    const id = await create(daemon, { command: ['/no/such/program'] });
    await spareOf(daemon);
    t.equal((await daemon.api.post(`/containers/${id}/start`)).status, 400);
    await until('its link has gone', async () =>
      fs.readdirSync('/sys/class/net').every((name) => !name.startsWith('veth')));
    t.same(heldNetns(daemon.pid()), []);
    const links = await create(daemon, { command: ['true'], host: { Sysctls: { 'net.x': '1' } } });
    await spareOf(daemon);
    t.not((await daemon.api.post(`/containers/${links}/start`)).status, 204);
    await until('that too', async () =>
      fs.readdirSync('/sys/class/net').every((name) => !name.startsWith('veth')));
    t.same(heldNetns(daemon.pid()), []);
  });

  test('what nobody starts goes, and none is made where no links are', needsRoot,
    async (t) => {
      const daemon = await startDaemon(t);
      await importDemoImage(daemon.api);
      for (const NetworkMode of ['none', 'host']) {
        await create(daemon, { command: ['true'], host: { NetworkMode } });
      }
      await sleep(300);
      t.same(heldNetns(daemon.pid()), []);
      for (let count = 0; count < 6; count++) await create(daemon, { command: ['true'] });
      await until('four wait', async () => heldNetns(daemon.pid()).length === 4);
      await until('they have gone', async () => heldNetns(daemon.pid()).length === 0, 20_000);
    });
}
