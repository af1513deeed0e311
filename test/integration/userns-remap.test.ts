/** `--userns-remap`: root of a container is nobody on the host, and files stay as they are. */
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type Test } from 'tap';
import { buildOn } from '../support/builds.js';
import { create, output, run, start, stateOf, until } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { heldNetns } from '../support/held-netns.js';
import { tarOf } from '../support/tar.js';

const needsRoot = {
  skip: process.getuid?.() === 0 ? false : 'a daemon that mounts needs root', timeout: 240_000,
};

const FIRST = 300_000;

/** The host's own subordinate ids stay as they are: only this daemon sees others. */
async function remappedDaemon(
  t: Test,
  storage: readonly string[] = [],
): Promise<TestDaemon> {
  const ranges = join(fs.mkdtempSync(join(tmpdir(), 'tsd-ranges-')), 'ranges');
  t.teardown(() => fs.rmSync(join(ranges, '..'), { recursive: true }));
  fs.writeFileSync(ranges, `nobody:${FIRST}:65536\nnogroup:${FIRST}:65536\n`);
  const script = 'for i in uid gid; do mount --bind "$0" /etc/sub$i; done; exec "$@"';
  const daemon = await startDaemon(t, {
    flags: ['--userns-remap', 'nobody:nogroup', ...storage],
    through: ['unshare', '--mount', 'sh', '-ec', script, ranges],
    ownFolder: `${FIRST}.${FIRST}`,
  });
  await importDemoImage(daemon.api);
  return daemon;
}

/** What an exec prints. */
async function exec({ api }: TestDaemon, id: string, script: string, more = {}): Promise<string> {
  const body = { AttachStdout: true, AttachStderr: true, Cmd: ['sh', '-c', script], Tty: true };
  const made = await api.post(`/containers/${id}/exec`, { ...body, ...more });
  const ran = await api.post(`/exec/${made.json.Id}/start`, { Tty: true });
  return ran.text.replaceAll('\r\n', '\n').trim();
}

for (const driver of ['overlay', 'vfs']) {
  test(`root of a container is nobody on the host: ${driver}`, needsRoot, async (t) => {
    const daemon = await remappedDaemon(t, ['--storage-driver', driver]);
    const info = await daemon.api.get('/info');
    t.match(info.json, { SecurityOptions: ['name=seccomp,profile=builtin', 'name=userns'] });
    const { text, code } = await output(daemon, {
      command: ['sh', '-c', `
        exec 2>/dev/null; cat /proc/self/uid_map
        stat -c %u:%g /bin/busybox /etc/hosts /etc /vol /image/bin/busybox /part/busybox
        echo x > /etc/new && echo y > /vol/new && echo z > /tmp/new && stat -c %u /etc/new /vol/new
        chown 1000 /etc/new; stat -c %u /etc/new; echo w > /dev/null; echo v >> /etc/hosts
        cat /bind/secret || echo kept; mknod /dev/x c 1 3 || echo none; stat -c %u /bind/secret`],
      host: {
        Binds: ['vol:/vol', `${bindOf(t)}:/bind`],
        Mounts: [
          { Type: 'image', Source: 'tsdocker-demo', Target: '/image' },
          {
            Type: 'image', Source: 'tsdocker-demo', Target: '/part',
            ImageOptions: { Subpath: 'bin' },
          },
        ],
      },
      config: { Env: [] },
    });
    t.equal(code, 0);
    t.match(
      text,
      /^ +0 +300000 +65536\n(0:0\n){6}0\n0\n1000\nkept\nnone\n65534\n$/,
    );
    const folder = join(daemon.dataRoot, 'volumes', 'vol', '_data');
    t.equal(fs.statSync(join(folder, 'new')).uid, 0, 'owners on the disk are the container\'s');
    const stranger = spawnSync('ls', [folder], { uid: FIRST, gid: FIRST, encoding: 'utf8' });
    t.match(stranger.stderr, /Permission denied/, 'and its root has no way to them');
  });
}

/** A folder of the host's root. */
function bindOf(t: Test): string {
  const folder = fs.mkdtempSync(join(tmpdir(), 'tsd-bind-'));
  t.teardown(() => fs.rmSync(folder, { recursive: true }));
  fs.chmodSync(folder, 0o755);
  fs.writeFileSync(join(folder, 'secret'), 'secret\n', { mode: 0o600 });
  return folder;
}

test('no network is made ahead: it would be of another user namespace', needsRoot, async (t) => {
  const daemon = await remappedDaemon(t);
  await create(daemon, { command: ['true'] });
  await sleep(300);
  t.same(heldNetns(daemon.pid()), []);
});

test('a container runs on, and is entered, after its daemon was killed', needsRoot, async (t) => {
  const daemon = await remappedDaemon(t);
  const id = await run(daemon, {
    command: ['sh', '-c', 'echo up; exec sleep 600'], config: { User: 'user' },
  });
  const { Pid } = await stateOf(daemon, id);
  t.match(fs.readFileSync(`/proc/${Pid}/status`, 'utf8'), /^Uid:\t301000\t301000/m);
  await daemon.kill9();
  await daemon.start();
  t.equal((await stateOf(daemon, id)).Pid, Pid);
  t.match(await exec(daemon, id, 'id -u; cat /proc/self/uid_map'), /^1000\n +0 +300000 +65536$/);
  t.equal(await exec(daemon, id, 'id -u; echo > /dev/null', { User: '0' }), '0');
  await daemon.api.post(`/containers/${id}/restart?t=0`);
  t.equal(await exec(daemon, id, 'id -u'), '1000');
});

test('copies have the owners that the container sees', needsRoot, async (t) => {
  const daemon = await remappedDaemon(t);
  const { api } = daemon;
  const archive = tarOf([{ name: 'in', content: 'x', uid: 7, gid: 8 }]);
  const id = await create(daemon, { command: ['sleep', '600'] });
  const url = (path: string): string => `/containers/${id}/archive?path=${path}`;
  const owner = async (path: string): Promise<string> => {
    const { bytes } = await api.get(url(path));
    const told = execFileSync('tar', ['-tvf', '-', '--numeric-owner'], { input: bytes });
    return told.toString().split(/ +/)[1] ?? '';
  };
  for (const isRunning of [false, true]) {
    if (isRunning) await start(daemon, id);
    t.equal((await api.put(url('/tmp'), archive)).status, 200);
    t.equal(await owner('/tmp/in'), '7/8', isRunning ? 'running' : 'at rest');
    t.equal(await owner('/bin/busybox'), '0/0');
  }
  t.equal(await exec(daemon, id, 'stat -c %u:%g /tmp/in'), '7:8');
  const big = tarOf([{ name: 'in', content: 'x', uid: 70_000 }]);
  const refused = await api.put(url('/tmp'), big);
  t.match(refused.json, { message: /owner 70000 has no id outside/ });
});

test('what is changed is committed with the container\'s owners', needsRoot, async (t) => {
  const daemon = await remappedDaemon(t);
  const id = await run(daemon, {
    command: ['sh', '-c', 'echo x > /mine; chown 5:6 /mine; rm /www/index.html; rm -r /root; ' +
      'mkdir /root; chmod 711 /bin'],
  });
  await daemon.api.post(`/containers/${id}/wait`);
  await daemon.api.post(`/commit?container=${id}&repo=changed`);
  const { text } = await output(daemon, {
    command: ['sh', '-c', 'stat -c %u:%g /mine /root /www /bin; stat -c %a /bin; ls /www'],
    config: { Image: 'changed' },
  });
  t.equal(text, '5:6\n0:0\n0:0\n0:0\n711\n');
  const changes = await daemon.api.get(`/containers/${id}/changes`);
  t.match(changes.json, [{ Path: '/bin' }, { Path: '/mine' }]);
});

test('a container may have the host\'s namespace; else what needs it is refused', needsRoot, async (t) => {
  const daemon = await remappedDaemon(t);
  const { text } = await output(daemon, {
    command: ['sh', '-c', 'cat /proc/self/uid_map; stat -c %u /bin/busybox'],
    host: { UsernsMode: 'host', Privileged: true, NetworkMode: 'host', PidMode: 'host' },
  });
  t.match(text, /^ +0 +0 +4294967295\n0\n$/);
  const refusal = async (host: object): Promise<unknown> => {
    const body = { Image: 'tsdocker-demo', HostConfig: host };
    const { status, json } = await daemon.api.post('/containers/create', body);
    return status === 400 ? json.message : status;
  };
  t.match(await refusal({ Privileged: true }), 'privileged mode is incompatible with user names');
  t.match(await refusal({ NetworkMode: 'host' }), 'cannot share the host\'s network namespace');
  t.match(await refusal({ PidMode: 'host' }), 'cannot share the host PID namespace');
});

test('a container joins another\'s namespaces, with the user namespace they are of', needsRoot, async (t) => {
  const daemon = await remappedDaemon(t);
  const first = await run(daemon, {
    name: 'first', command: ['sh', '-c', 'echo hi > /tmp/index.html; httpd -f -p 8080 -h /tmp'],
    host: { IpcMode: 'shareable' },
  });
  const { Pid } = await stateOf(daemon, first);
  for (const host of [{ NetworkMode: 'container:first' }, { PidMode: 'container:first' },
    { IpcMode: 'container:first' }]) {
    const { text } = await output(daemon, {
      command: ['readlink', '/proc/self/ns/user'], host,
    });
    t.equal(text.trim(), fs.readlinkSync(`/proc/${Pid}/ns/user`), JSON.stringify(host));
  }
  await until('the server answers', async () => {
    const { text } = await output(daemon, {
      command: ['wget', '-qO-', 'http://127.0.0.1:8080/'],
      host: { NetworkMode: 'container:first' },
    });
    return text === 'hi\n';
  });
  const named = await output(daemon, {
    command: ['sh', '-c', 'ip -o link | wc -l; ip route | grep -c default'],
  });
  t.equal(named.text, '2\n1\n', 'and one of its own has a link and a route');
});

test('a build runs in the namespace, and its layers have the owners of the Dockerfile', needsRoot, async (t) => {
  const daemon = await remappedDaemon(t);
  const context = tarOf([
    { name: 'Dockerfile', content: 'FROM tsdocker-demo\nCOPY --chown=3:4 a /a\nRUN cp /a /b; ' +
      'chown 5 /b; cat /proc/self/uid_map > /map\n' },
    { name: 'a', content: 'x' },
  ]);
  const built = await daemon.api.post('/build?t=built', context, {
    headers: { 'Content-Type': 'application/x-tar' },
  });
  t.match(built.text, /Successfully tagged/);
  const { text } = await output(daemon, {
    command: ['sh', '-c', 'stat -c %u /a /b; cat /map'], config: { Image: 'built' },
  });
  t.match(text, /^3\n5\n +0 +300000 /);
});

test('mounts of a build are those of its root, too', needsRoot, async (t) => {
  const daemon = await remappedDaemon(t);
  const grants = Buffer.from(JSON.stringify({ Secrets: { s: 'b3Blbg==' } })).toString('base64url');
  const Dockerfile =
    'FROM tsdocker-demo\n' +
    'RUN --mount=type=cache,target=/c touch /c/x && stat -c "cache %u" /c /c/x\n' +
    'RUN --mount=target=/ctx,rw touch /ctx/new && stat -c "bind %u" /ctx/a /ctx/new\n' +
    'RUN --mount=type=secret,id=s cat /run/secrets/s && stat -c " secret %u %a" /run/secrets/s\n' +
    'RUN --mount=type=secret,id=s,uid=7,target=/s stat -c "secret %u %a" /s\n';
  const { text } = await buildOn(daemon.socket, {
    files: { Dockerfile, a: 'x' }, headers: { 'X-Build-Grants': grants },
  });
  t.match(text, 'cache 0\ncache 0\n');
  t.match(text, 'bind 0\nbind 0\n');
  t.match(text, 'open secret 0 400\n');
  t.match(text, 'secret 7 400\n');
  t.match(text, 'Successfully built');
});
