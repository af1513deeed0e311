/** `--rootless`: the whole daemon as an ordinary user, without a set-up tool. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { test } from 'tap';
import { create, output, run, start, stateOf, until } from '../support/containers.js';
import type { TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { docker, dockerProgram } from '../support/docker-cli.js';
import { echoInside } from '../support/echo-inside.js';
import { processesOf } from '../support/leaks.js';
import { asOrdinaryUser, startRootless, user } from '../support/ordinary-user.js';
import { inPrivateNetns } from '../support/private-netns.js';

const needsRoot = {
  skip: process.getuid?.() === 0 ? false : 'only root can become another user', timeout: 240_000,
};

/** A machine with a way out, and somebody beyond it. */
const beyond = '198.51.100.1';

function makeWayOut(): void {
  const ip = (line: string): void => void execFileSync('ip', line.split(' '));
  ip('link add ext0 type veth peer name ext1');
  ip('link set ext1 up');
  ip('addr add 192.0.2.1/24 dev ext0');
  ip('link set ext0 up');
  ip('route add default via 192.0.2.254');
  ip(`addr add ${beyond}/32 dev lo`);
}

/** What the host hears from a port. */
async function heard(url: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', `
    fetch(${JSON.stringify(url)}).then((answer) => answer.text()).then(
      (text) => process.stdout.write(text), (error) => process.stdout.write(String(error)))`]);
  return stdout;
}

async function web(daemon: TestDaemon, port: number, more: object = {}): Promise<string> {
  return run(daemon, {
    name: 'web',
    command: ['httpd', '-f', '-h', '/www', '-p', '80'],
    config: { ExposedPorts: { '80/tcp': {} } },
    host: { PortBindings: { '80/tcp': [{ HostPort: String(port) }] }, ...more },
  });
}

const hello = /Hello from a container/;

if (inPrivateNetns(import.meta.url)) {
  makeWayOut();

  test('an ordinary user runs containers with owners of their own', needsRoot, async (t) => {
    const daemon = await startRootless(t);
    await importDemoImage(daemon.api);
    t.equal(fs.statSync(`/proc/${daemon.pid()}`).uid, user.id, 'the daemon is the user\'s');
    const info = await daemon.api.get('/info');
    t.match(info.json, {
      SecurityOptions: ['name=seccomp,profile=builtin', 'name=rootless'], Driver: 'overlay',
    });
    const { text, code } = await output(daemon, {
      command: ['sh', '-c', `cat /proc/self/uid_map; touch /new /vol/new; chown 1000:1000 /new
        stat -c %u:%g /new /vol/new /bin/busybox; echo x > /dev/null; mknod /x c 1 3 || echo none
        rm -r /etc; mkdir /etc; ls /etc | wc -l; tty`],
      host: { NetworkMode: 'none', Binds: ['vol:/vol'] },
      config: { Tty: true },
    });
    t.equal(code, 0);
    t.match(text, new RegExp(
      `^ +0 +${user.id} +1\\s+1 +${user.firstSubordinate} +65536\\s` +
      '+1000:1000\\s+0:0\\s+0:0\\s+mknod.*not permitted\\s+none\\s+', 's'));
    const volume = join(daemon.dataRoot, 'volumes', 'vol', '_data', 'new');
    t.equal(fs.statSync(volume).uid, user.id, 'root of a container is the user');
  });

  test('a published port is heard on the host, whatever becomes of the daemon', needsRoot,
    async (t) => {
      const daemon = await startRootless(t);
      await importDemoImage(daemon.api);
      const id = await web(daemon, 8080);
      t.match(await heard('http://127.0.0.1:8080/'), hello);
      t.match(await heard('http://[::1]:8080/'), hello, 'IPv6 too');
      const before = await stateOf(daemon, id);
      await daemon.kill9();
      t.match(await heard('http://127.0.0.1:8080/'), hello, 'after kill -9');
      await daemon.start();
      t.same(await stateOf(daemon, id), before, 'the next daemon has adopted it');
      t.match(await heard('http://127.0.0.1:8080/'), hello);
      const { text } = await output(daemon, {
        command: ['wget', '-qO-', `http://${await addressOf(daemon, id)}/`],
      });
      t.match(text, hello, 'and both are in one network');
      await daemon.api.post(`/containers/${id}/restart?t=0`);
      t.match(await heard('http://127.0.0.1:8080/'), hello, 'after a restart of the container');
      await daemon.api.delete(`/containers/${id}?force=1`);
      t.match(await heard('http://127.0.0.1:8080/'), /fetch failed/);
    });

  test('an UDP port is answered from the address that was asked', needsRoot, async (t) => {
    const daemon = await startRootless(t);
    await importDemoImage(daemon.api);
    const host = { PortBindings: { '53/udp': [{ HostPort: '8053' }] } };
    const id = await run(daemon, { command: ['sleep', '1000'], host });
    await echoInside(t, (await stateOf(daemon, id)).Pid);
    t.same(await echoed('udp4', '127.0.0.1', 8053), ['ping', '127.0.0.1', 8053]);
    t.same(await echoed('udp6', '::1', 8053), ['ping', '::1', 8053], 'IPv6 too');
    await daemon.kill9();
    t.same(await echoed('udp4', '127.0.0.1', 8053), ['ping', '127.0.0.1', 8053], 'after kill -9');
  });

  test('containers of one network find each other by name', needsRoot, async (t) => {
    const daemon = await startRootless(t);
    await importDemoImage(daemon.api);
    await daemon.api.post('/networks/create', { Name: 'team' });
    const host = { NetworkMode: 'team' };
    const serve = ['httpd', '-f', '-h', '/www', '-p', '80'];
    await run(daemon, { name: 'web', command: serve, host });
    const ask = { command: ['wget', '-qO-', 'http://web/'], host };
    t.match(await output(daemon, ask), { code: 0, text: hello });
    await daemon.kill9();
    await daemon.start();
    t.match(await output(daemon, ask), { code: 0, text: hello }, 'the next daemon answers too');
    const other = { command: ['wget', '-qO-', 'http://web/'] };
    t.notSame((await output(daemon, other)).code, 0, 'nobody else does');
  });

  test('layers are copied where that is asked for', needsRoot, async (t) => {
    const daemon = await startRootless(t, { flags: ['--storage-driver', 'vfs'] });
    await importDemoImage(daemon.api);
    t.match((await daemon.api.get('/info')).json, { Driver: 'vfs' });
    const id = await run(daemon, {
      command: ['sh', '-c', 'touch /new; chown 33:44 /new; rm /etc/group; sleep 1000'],
    });
    await until('it has written', async () =>
      (await changes(daemon, id)).includes('/etc/group'));
    t.equal((await daemon.api.post(`/commit?container=${id}&repo=made`)).status, 201);
    const { code, text } = await output(daemon, {
      command: ['sh', '-c', 'stat -c %u:%g /new; ls /etc'], config: { Image: 'made' },
    });
    t.equal(code, 0);
    t.match(text, /^33:44\s[^]*passwd/);
    t.notMatch(text, /group/, 'what was removed is not there');
    await daemon.api.delete(`/containers/${id}?force=1`);
    t.equal((await daemon.api.delete('/images/made')).status, 200);
  });

  test('a port that an ordinary user may not have is refused', needsRoot, async (t) => {
    const daemon = await startRootless(t);
    await importDemoImage(daemon.api);
    await t.rejects(web(daemon, 80), /permission denied: .*ip_unprivileged_port_start/);
  });

  test('containers reach other machines', needsRoot, async (t) => {
    const daemon = await startRootless(t);
    await importDemoImage(daemon.api);
    const server = createServer((socket) => socket.end('from beyond\n')).listen(7777, beyond);
    t.teardown(() => server.close());
    // Debian 12's pasta may not tell the end of an answer to who ends its own direction at once.
    const { text } = await output(daemon, {
      command: ['sh', '-c', `sleep 5 | nc -w 20 ${beyond} 7777; cat /etc/resolv.conf`],
    });
    t.match(text, /^from beyond\n/);
    t.match(text, /nameserver 169.254.1.1/, 'names are asked for through pasta');
  });

  test('the docker client runs, executes, builds and reads logs', {
    ...needsRoot, skip: needsRoot.skip || (dockerProgram() === undefined && 'no docker client'),
  }, async (t) => {
    const daemon = await startRootless(t);
    await importDemoImage(daemon.api);
    const cli = async (input: string, ...args: string[]): Promise<string> => {
      const ran = await docker(`unix://${daemon.socket}`, args, {
        input, environment: { DOCKER_BUILDKIT: '0' },
      });
      if (ran.code !== 0) throw new Error(`${args.join(' ')}: ${ran.stderr}`);
      return ran.stdout;
    };
    await cli('FROM tsdocker-demo\nRUN rm /etc/group && mkdir /d && chown 33:44 /d\nVOLUME /v\n',
      'build', '-t', 'built', '-');
    t.equal(await cli('', 'run', '--rm', 'built', 'stat', '-c', '%u:%g', '/d'), '33:44\n');
    t.match(await cli('', 'run', '--rm', 'built', 'ls', '/etc'), /^passwd$/m);
    await cli('', 'run', '-d', '--name', 'one', 'built', 'sh', '-c', 'echo said; exec sleep 1000');
    t.equal(await cli('', 'exec', 'one', 'cat', '/proc/1/comm'), 'sleep\n');
    t.equal(await cli('', 'logs', 'one'), 'said\n');
    t.match(await cli('', 'top', 'one'), /sleep 1000/);
    t.match(await cli('', 'run', '--rm', '-m', '32m', 'built', 'echo', 'done'), /done/);
  });

  test('what is missing is named, with what helps', needsRoot, async (t) => {
    const cases = [
      [{ lackedTools: ['newuidmap'] }, /needs newuidmap.*install the package uidmap/],
      [{ lackedTools: ['pasta'] }, /needs pasta.*install the package passt/],
      [{ subordinateIds: false }, /no subuid ranges found for user "tsd-ordinary"/],
    ] as const;
    for (const [world, message] of cases) {
      const [program = '', ...args] = await asOrdinaryUser(t, world);
      const daemon = new URL('../../daemon/tsdockerd.cjs', import.meta.url).pathname;
      const ran = spawnSync(
        program, [...args, process.execPath, daemon, '--rootless'], { encoding: 'utf8' });
      t.equal(ran.status, 1);
      t.match(ran.stderr, message);
    }
  });

  test('nothing is left when the daemon has ended and no container runs', needsRoot, async (t) => {
    const daemon = await startRootless(t);
    await importDemoImage(daemon.api);
    const id = await create(daemon, { command: ['sleep', '1000'] });
    await start(daemon, id);
    await daemon.stop();
    t.ok(processesOf(daemon).length >= 3, 'a container keeps the namespaces');
    await daemon.start();
    t.equal((await stateOf(daemon, id)).Status, 'running');
    await daemon.api.delete(`/containers/${id}?force=1`);
    await daemon.stop();
    await until('the namespaces are gone', async () => processesOf(daemon).length === 0, 120_000);
  });
}

/** What comes back for a datagram, and from where. */
async function echoed(
  type: 'udp4' | 'udp6',
  address: string,
  port: number,
): Promise<readonly unknown[]> {
  const socket = createSocket(type);
  try {
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer from ${address}`)), 10_000);
      socket.once('message', (bytes, from) => {
        clearTimeout(timer);
        resolve([bytes.toString(), from.address, from.port]);
      });
      socket.send('ping', port, address);
    });
  } finally {
    socket.close();
  }
}

async function changes({ api }: TestDaemon, id: string): Promise<readonly string[]> {
  const { json } = await api.get(`/containers/${id}/changes`);
  return (json as { readonly Path: string }[]).map(({ Path }) => Path);
}

async function addressOf({ api }: TestDaemon, id: string): Promise<string> {
  const { json } = await api.get(`/containers/${id}/json`);
  return String(json.NetworkSettings.Networks.bridge.IPAddress);
}
