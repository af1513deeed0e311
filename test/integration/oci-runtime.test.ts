import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  closeSync, copyFileSync, existsSync, openSync, readFileSync, readdirSync, writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type Test } from 'tap';
import { KEPT_FOLDER } from '../../cli/oci-runtime/kept-programs.js';
import { isAlive } from '../support/alive.js';
import { ended, nodeRuntime, ociWorld, ownRuntime, type OciWorld } from '../support/oci-bundle.js';

const shell = (world: OciWorld, script: string): void =>
  world.configure((config) => (config.process['args'] = ['sh', '-c', script]));

/** Creates with its output in a file, as a supervisor would: the caller's own pipes stay free. */
async function create(world: OciWorld, ...flags: readonly string[]): Promise<number | null> {
  const out = openSync(join(world.folder, 'out'), 'a');
  const child = world.start(['create', ...flags, world.id], out);
  child.stdin?.end();
  closeSync(out);
  return (await ended(child)).code;
}

const output = (world: OciWorld): string => readFileSync(join(world.folder, 'out'), 'utf8');

/** By the program that others are given, and where Node does everything. */
function eitherWay(name: string, act: (t: Test, world: OciWorld) => Promise<void>): void {
  for (const [way, runtime] of [['', ownRuntime], [', by Node', nodeRuntime]] as const) {
    test(`${name}${way}`, async (t) => act(t, await ociWorld(t, runtime)));
  }
}

test('version and features are told as callers parse them', async (t) => {
  const world = await ociWorld(t);
  t.match((await world.call('--version')).stdout, /^tsdocker-runtime version \S+\nspec: 1\./);
  const features: unknown = JSON.parse((await world.call('features')).stdout);
  t.match(features, { ociVersionMin: '1.0.0', linux: { seccomp: { enabled: true } } });
  t.match((await world.call('--help')).stdout, 'Commands:');
  t.match(await world.call('frobnicate'), { code: 1, stderr: /unknown command frobnicate/ });
});

test('a run in the foreground has the caller\'s streams and the program\'s exit code', async (t) => {
  const world = await ociWorld(t);
  shell(world, 'cat; id -u; echo wrong >&2; exit 7');
  const child = world.start(['run', world.id]);
  child.stdin?.end('hello\n');
  t.match(await ended(child), { code: 7, stdout: 'hello\n0\n', stderr: 'wrong\n' });
  t.same(world.containers(), [], 'and nothing is left');
  t.equal(existsSync(`/sys/fs/cgroup/pids/tsdocker-runtime-${world.id}`), false);
});

test('a signal to a run in the foreground reaches the program', async (t) => {
  const world = await ociWorld(t);
  shell(world, 'trap "exit 9" TERM; echo up; while true; do sleep 0.1; done');
  const child = world.start(['run', world.id]);
  child.stdout?.once('data', () => child.kill('SIGTERM'));
  t.match(await ended(child), { code: 9 });
});

eitherWay('a container goes from created to running to stopped, no other way', async (t, world) => {
  world.configure((config) => (config['annotations'] = { 'org.example': 'x' }));
  shell(world, 'echo went; while [ ! -e /tmp/end ]; do sleep 0.05; done');
  const { id } = world;
  t.equal(await create(world, '--pid-file', join(world.folder, 'pid')), 0);
  const state = await world.state();
  t.match(state, {
    id, status: 'created', bundle: world.bundle, annotations: { 'org.example': 'x' },
  });
  t.equal(Number(readFileSync(join(world.folder, 'pid'), 'utf8')), state['pid']);
  t.equal(output(world), '', 'nothing of it has run');
  t.match(await world.call('create', id), { code: 1, stderr: /exists/ });
  t.match(await world.call('delete', id), { code: 1, stderr: /not stopped: created/ });
  t.match(await world.call('start', id), { code: 0 });
  t.match(await world.state(), { status: 'running', pid: state['pid'] });
  t.match(await world.call('start', id), { code: 1, stderr: /that is running/ });
  t.match(await world.call('delete', id), { code: 1, stderr: /not stopped: running/ });
  t.match(JSON.parse((await world.call('ps', '-f', 'json', id)).stdout), [state['pid']]);
  t.match((await world.call('list', '-q')).stdout, `${id}\n`);
  t.match(await world.call('kill', id, 'KILL'), { code: 0 });
  t.ok(await world.reach('stopped'));
  t.equal('pid' in (await world.state()), false);
  t.match(await world.call('start', id), { code: 1, stderr: /that is stopped/ });
  t.match(await world.call('kill', id, 'KILL'), { code: 1, stderr: /not running/ });
  t.match(await world.call('delete', id), { code: 0 });
  t.match(await world.call('state', id), { code: 1, stderr: /does not exist/ });
  t.match(await world.call('delete', id), { code: 1 });
  t.match(await world.call('delete', '--force', id), { code: 0 });
  t.equal(output(world), 'went\n');
});

eitherWay('a created container can be killed, or deleted by force', async (t, world) => {
  t.equal(await create(world), 0);
  const { pid } = await world.state();
  t.match(await world.call('kill', world.id, '9'), { code: 0 });
  t.ok(await world.reach('stopped'));
  t.match(await world.call('delete', world.id), { code: 0 });
  t.equal(await create(world), 0);
  t.match(await world.call('delete', '-f', world.id), { code: 0 });
  t.notOk(isAlive(Number(pid)), 'it has ended');
  t.same(world.containers(), []);
});

eitherWay('a start that fails does so in words that podman knows', async (t, world) => {
  world.configure((config) => (config.process['args'] = ['nowhere']));
  t.equal(await create(world), 0);
  const started = await world.call('start', world.id);
  t.match(started, { code: 1, stderr: /exec: "nowhere": executable file not found in \$PATH/ });
  t.match(await world.state(), { status: 'stopped' });
});

eitherWay('a supervisor above is the parent of the process once it runs', async (t, world) => {
  shell(world, 'exit 5');
  // Orphans of our descendants come to us: what conmon and containerd's shim do.
  const supervisor = spawn('python3', ['-c', `
import ctypes, os, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
call = sys.argv[1:-2]
subprocess.run(call + ['create', '--pid-file', sys.argv[-2], sys.argv[-1]], check=True)
subprocess.run(call + ['start', sys.argv[-1]], check=True)
pid = int(open(sys.argv[-2]).read())
for _ in range(500):
  try:
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    break
  except ChildProcessError:
    time.sleep(0.01)  # it is ours once its shim is gone, which may still be going
`, ...world.command, join(world.folder, 'pid'), world.id], {
    cwd: world.bundle, stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.match(await ended(supervisor), { code: 0, stdout: '5\n' });
});

test('the console goes to the socket that the caller listens on', async (t) => {
  const world = await ociWorld(t);
  world.configure((config) => {
    config.process['terminal'] = true;
    config.process['args'] = ['sh', '-c', 'tty; stty size; cat'];
    config.process['consoleSize'] = { height: 33, width: 77 };
  });
  const socket = join(world.folder, 'console');
  const listener = spawn('python3', ['-c', `
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()
c = s.accept()[0]
words, control, _, _ = c.recvmsg(4096, socket.CMSG_SPACE(4))
fd = array.array('i', control[0][2])[0]
os.write(fd, b'typed\\n\\x04')
got = b''
try:
  while True:
    part = os.read(fd, 4096)
    if not part: break
    got += part
except OSError: pass
print(got.decode())
`, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  const told = ended(listener);
  for (let i = 0; i < 100 && !existsSync(socket); i++) await sleep(20);
  t.match(await world.call('create', world.id), { code: 1, stderr: /needs --console-socket/ });
  t.equal(await create(world, '--console-socket', socket), 0);
  t.match(await world.call('start', world.id), { code: 0 });
  const { stdout } = await told;
  t.match(stdout, /\/dev\/(pts\/0|console)\r\n33 77\r\ntyped\r\n/);
});

test('hooks of the runtime\'s side get the state, in order; a failing one undoes the create', async (t) => {
  const world = await ociWorld(t);
  const log = join(world.folder, 'hooks');
  const hook = (name: string): object => ({
    path: '/bin/sh', args: ['sh', '-c', `echo ${name} "$(cat)" "$X" >> ${log}`], env: ['X=y'],
  });
  const names = ['prestart', 'createRuntime', 'poststart', 'poststop'];
  world.configure((config) => {
    config.hooks = Object.fromEntries(names.map((name) => [name, [hook(name)]]));
  });
  shell(world, 'exit 0');
  t.match(await world.call('run', world.id), { code: 0 });
  const lines = readFileSync(log, 'utf8').trim().split('\n');
  t.same(lines.map((line) => line.split(' ')[0]), names);
  t.match(lines[0], /"status":"creating".*"pid":\d+.* y$/);
  t.match(lines[3], /"status":"stopped"/);
  world.configure((config) => {
    config.hooks = { createRuntime: [{ path: '/bin/false' }] };
  });
  t.match(await world.call('run', world.id), { code: 1, stderr: /hook createRuntime\[0\]/ });
  t.same(world.containers(), []);
});

test('an invalid configuration is refused by the path of what is wrong', async (t) => {
  const world = await ociWorld(t);
  const refusal = async (path: readonly string[], value: unknown): Promise<string> => {
    const file = join(world.bundle, 'config.json');
    const before = readFileSync(file, 'utf8');
    world.configure((config) => {
      let at: Record<string, unknown> = config;
      // Objects all the way: the paths below are of what `spec` writes, or made here.
      for (const name of path.slice(0, -1)) at = (at[name] ??= {}) as Record<string, unknown>;
      at[path.at(-1) ?? ''] = value;
    });
    const { code, stderr } = await world.call('create', world.id);
    writeFileSync(file, before);
    return code === 1 ? stderr.trim() : `exit ${code}`;
  };
  t.match(await refusal(['ociVersion'], 'two'), /: \$\.ociVersion: must be a version/);
  t.match(await refusal(['process', 'cwd'], 'here'), /: \$\.process\.cwd: must be absolute/);
  t.match(await refusal(['process', 'args'], []), /: \$\.process\.args: must not be empty/);
  t.match(
    await refusal(['linux', 'resources', 'memory', 'limit'], '1g'),
    /: \$\.linux\.resources\.memory\.limit: must be a whole number/,
  );
  t.match(
    await refusal(['linux', 'namespaces'], [{ type: 'mount' }, { type: 'moon' }]),
    /: \$\.linux\.namespaces\[1\]\.type: must be one of pid, /,
  );
  t.match(await refusal(['root', 'path'], 'none'), /\$\.root\.path: .* is not a directory/);
  t.equal(existsSync(world.root), false, 'nothing was made');
});

test('a control group with somebody else in it is not taken', async (t) => {
  const world = await ociWorld(t);
  shell(world, 'sleep 20');
  world.configure((config) => (config.linux['cgroupsPath'] = `/${world.id}`));
  t.equal(await create(world), 0);
  const { pid } = await world.state();
  const other = await world.call('create', `${world.id}-2`);
  t.match(other, { code: 1, stderr: /cgroup \/\S+ is not empty/ });
  t.match(await world.state(), { status: 'created', pid }, 'who is in it lives on');
});

test('limits and the user of the configuration hold', async (t) => {
  const world = await ociWorld(t);
  shell(world, 'id -u; id -G; ulimit -n; cat /proc/self/oom_score_adj; echo x > /bin/y || echo ro');
  world.configure((config) => {
    config.process['user'] = { uid: 1000, gid: 1001, additionalGids: [5, 6] };
    config.process['oomScoreAdj'] = 123;
    config.linux['resources'] = { pids: { limit: 77 }, memory: { limit: 33554432 } };
  });
  const { code, stdout } = await world.call('run', world.id);
  t.match({ code, stdout }, { code: 0, stdout: '1000\n1001 5 6\n1024\n123\nro\n' });
});

test('descriptors that are to be preserved go into the program, one by one', async (t) => {
  const world = await ociWorld(t);
  shell(world, 'cat <&3; cat <&4; (echo x >&5) 2>/dev/null || echo closed');
  const paths = ['three', 'four'].map((name) => join(world.folder, name));
  for (const path of paths) writeFileSync(path, `${path.split('/').at(-1)}\n`);
  const [three = 0, four = 0] = paths.map((path) => openSync(path, 'r'));
  const run = (fds: string): ReturnType<typeof ended> => {
    const [node = '', ...rest] = world.command;
    return ended(spawn(node, [...rest, 'run', '--preserve-fds', fds, world.id], {
      cwd: world.bundle, stdio: ['ignore', 'pipe', 'pipe', three, four], timeout: 20_000,
    }));
  };
  t.match(await run('2'), { stdout: 'three\nfour\nclosed\n' });
  t.match(await run('200'), { code: 1, stderr: /--preserve-fds 200: descriptor \d+ is not open/ });
  t.match(await run('many'), { code: 1, stderr: /many is no number/ });
  t.same(world.containers(), []);
  [three, four].forEach((fd) => closeSync(fd));
});

test('the kernel schedules the process as the configuration says', async (t) => {
  const world = await ociWorld(t);
  shell(world, 'b=/bin/busybox; $b cut -d" " -f19,41 /proc/self/stat; $b ionice; ' +
    '$b cat /proc/self/personality; $b uname -m');
  world.configure((config) => {
    config.process['scheduler'] = { policy: 'SCHED_BATCH', nice: 5 };
    config.process['ioPriority'] = { class: 'IOPRIO_CLASS_BE', priority: 6 };
    config.linux['personality'] = { domain: 'LINUX32' };
  });
  // Not every kernel has another name for its machine then: a user-mode one has not.
  const machine = execFileSync('/bin/busybox', ['linux32', 'uname', '-m']).toString();
  const told = await world.call('run', world.id);
  t.match(told, { code: 0, stdout: `5 3\nbest-effort: prio 6\n00000008\n${machine}` });
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ policy: 'SCHED_LATER' }, /\$\.process\.scheduler\.policy: must be one of SCHED_OTHER/],
    [{ policy: 'SCHED_OTHER', priority: 5 }, /\.priority: is of SCHED_FIFO and SCHED_RR only/],
    [{ policy: 'SCHED_RR', priority: 5, runtime: 5 }, /\.runtime: is of SCHED_DEADLINE only/],
  ];
  for (const [scheduler, stderr] of wrong) {
    world.configure((config) => (config.process['scheduler'] = scheduler));
    t.match(await world.call('run', world.id), { code: 1, stderr });
  }
});

/** keyctl(2) JOIN_SESSION_KEYRING, in a process that ends with it. */
function hasKeyrings(): boolean {
  const number = process.arch === 'arm64' ? 219 : 250;
  const join = `import ctypes; exit(ctypes.CDLL(None).syscall(${number}, 1, b'probe') < 0)`;
  return existsSync('/proc/keys') && spawnSync('python3', ['-c', join]).status === 0;
}

test('the session keyring is the container\'s own, or the caller\'s if that is to stay', {
  skip: !hasKeyrings() && 'no session keyrings can be made here',
}, async (t) => {
  const world = await ociWorld(t);
  world.configure((config) => (config.linux['maskedPaths'] = []));
  // Each of another name: the kernel takes its time to let a keyring go.
  const run = (id: string, ...flags: readonly string[]): ReturnType<OciWorld['call']> => {
    shell(world, `grep -c "keyring  *_ses.${id.slice(0, 16)}" /proc/keys`);
    return world.call('run', ...flags, id);
  };
  const part = world.id.slice(-6);
  t.match(await run(`own-${part}-keyring`), { stdout: '1\n' });
  t.match(await run(`old-${part}-keyring`, '--no-new-keyring'), { stdout: '0\n' });
});

test('a launch program is kept, and used for what is configured alike', async (t) => {
  const world = await ociWorld(t);
  const folder = join(world.root, KEPT_FOLDER);
  const kept = (): readonly string[] => existsSync(folder) ? readdirSync(folder).sort() : [];
  const run = async (word: string, id = world.id): Promise<string> => {
    shell(world, `echo ${word}`);
    const { code, stdout, stderr } = await world.call('run', id);
    t.equal(code, 0, stderr);
    return stdout;
  };
  t.equal(await run('one'), 'one\n');
  const [one = ''] = kept();
  t.equal(await run('one'), 'one\n');
  t.same(kept(), [one], 'the same again is the same');
  t.equal(await run('two'), 'two\n');
  const two = kept().find((name) => name !== one) ?? '';
  t.equal(kept().length, 2);
  copyFileSync(join(folder, two), join(folder, one));
  t.equal(await run('one'), 'two\n', 'it is what is carried out');
  writeFileSync(join(folder, one), 'no program');
  t.equal(await run('one'), 'one\n', 'and is compiled anew when it is damaged');
  t.ok(readFileSync(join(folder, one)).length > 1000);
  world.configure(({ linux }) => {
    linux['seccomp'] = {
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'],
    };
  });
  t.equal(await run('one'), 'one\n');
  t.equal(kept().length, 3, 'another filter, another program');
  world.configure((config) => (config.process['apparmorProfile'] = 'unconfined'));
  t.equal(await run('one'), 'one\n');
  t.equal(kept().length, 4, 'another profile of AppArmor too');
});

test('containers of random ids share a kept program, each by its own id', async (t) => {
  const world = await ociWorld(t);
  const ids = ['0a1b2c3d', 'f9e8d7c6'].map((part) => part.repeat(8));
  for (const id of ids) {
    t.teardown(() => world.call('delete', '--force', id));
    world.configure((config) => {
      config['hostname'] = id.slice(0, 12);
      config.linux['cgroupsPath'] = `/${id}`;
      config.process['args'] = ['sh', '-c', `/bin/busybox hostname; echo ${id}`];
    });
    t.match(await world.call('run', id), { code: 0, stdout: `${id.slice(0, 12)}\n${id}\n` });
  }
  t.equal(readdirSync(join(world.root, KEPT_FOLDER)).length, 1);
});

test('another file may be the configuration', async (t) => {
  const world = await ociWorld(t);
  const other = join(world.folder, 'other.json');
  world.configure((config) => (config.process['args'] = ['sh', '-c', 'echo other']));
  copyFileSync(join(world.bundle, 'config.json'), other);
  writeFileSync(join(world.bundle, 'config.json'), 'no configuration');
  t.match(await world.call('run', '--config', other, world.id), { code: 0, stdout: 'other\n' });
  t.match(await world.call('run', '--config', `${other}.not`, world.id), {
    code: 1, stderr: /other\.json\.not: ENOENT/,
  });
});

test('without systemd there is no scope, and nothing is left', {
  skip: existsSync('/run/systemd/private') && 'systemd is here',
}, async (t) => {
  const world = await ociWorld(t);
  world.configure((config) => (config.process['args'] = ['true']));
  const systemd = await world.call('--systemd-cgroup', 'run', world.id);
  t.match(systemd, { code: 1, stderr: /systemd/ });
  t.same(readdirSync(world.root), []);
  world.configure(({ linux }) => (linux['cgroupsPath'] = 'a.slice:b:c'));
  t.match(await world.call('create', world.id), { code: 1, stderr: /takes --systemd-cgroup/ });
});

eitherWay('errors are in the log file as containerd reads them', async (t, world) => {
  const log = join(world.folder, 'log');
  await world.call('--log', log, '--log-format', 'json', 'start', 'nobody');
  const line: unknown = JSON.parse(readFileSync(log, 'utf8'));
  t.match(line, { level: 'error', msg: 'container does not exist: nobody', time: /T.*Z$/ });
});
