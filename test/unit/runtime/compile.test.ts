import { test } from 'tap';
import type { Step } from '../../../native/launch/opcodes.js';
import { encodeProgram } from '../../../native/launch/encode.js';
import { compileLaunch, type LaunchPlan } from '../../../daemon/runtime/compile.js';
import { noHooks } from '../../../daemon/runtime/compile/hooks.js';
import { configOf, outline, planOf, position, programOf } from './builders.js';

/** Each of `wanted` comes before the next. */
function isOrdered(steps: readonly Step[], wanted: readonly string[]): boolean {
  const places = wanted.map((each) => position(steps, each));
  return places.every((place, i) => i === 0 || place > (places[i - 1] ?? 0));
}

test('the host strand, from the cgroup to the fds that init hands over', (t) => {
  t.same(outline(programOf().host), [
    'openat2 cgroup /sys/fs/cgroup/x',
    'pipe standard streams',
    'pipe standard streams',
    'openTree bind source /b/resolv.conf', 'mountSetattr mount /etc/resolv.conf',
    'openTree bind source /b/hostname', 'mountSetattr mount /etc/hostname',
    'openTree bind source /b/hosts', 'mountSetattr mount /etc/hosts',
    'unshare mount namespace', 'mountSetattr mount namespace',
    'openTree root filesystem', 'moveMount root filesystem', 'close',
    'clone namespaces', 'yield network', 'notify', 'awaitFd',
  ]);
  t.end();
});

test('bind sources are opened before the mount namespace is private', (t) => {
  const { host } = programOf();
  t.ok(isOrdered(host, ['openTree bind source', 'unshare mount namespace', 'clone']));
  t.end();
});

test('init: mounts, then protection, then the pivot, then identity, then execve', (t) => {
  const { init } = programOf({ config: { WorkingDir: '/work' }, uid: 1000 });
  t.ok(isOrdered(init, [
    'setsid', 'openat2 root filesystem', 'fsopen mount /proc', 'fsopen mount /dev',
    'fsopen mount /sys', 'mknodat device /dev/null', 'target working directory /work',
    'await network', 'openat2 sysctl', 'openat2 read-only path', 'openat2 masked path',
    'fchdir root filesystem', 'pivotRoot', 'notifyFd', 'dup2', 'seccomp', 'capBounding',
    'setgroups',
    'setresgid', 'setresuid', 'capset', 'chdir', 'getcwd', 'closeRange', 'execve prog',
  ]));
  t.equal(outline(init).at(-1), 'execve prog');
  t.end();
});

test('with no-new-privileges the filter comes last, else before the privileges go', (t) => {
  const { init } = programOf({ host: { SecurityOpt: ['no-new-privileges=true'] } });
  t.ok(isOrdered(init, ['setresuid', 'chdir', 'closeRange', 'seccomp', 'execve']));
  const { init: without } = programOf();
  t.ok(isOrdered(without, ['seccomp', 'capBounding', 'setresuid', 'execve']));
  t.end();
});

test('version 1 is entered by init itself, and its cgroup namespace comes after that', (t) => {
  const view = { name: 'cpu', source: '/cg/cpu/x', aliases: [], controllers: ['cpu'] };
  const entry = { kind: 'tasks', files: ['/cg/cpu/x/tasks'], views: [view] } as const;
  const { host, init } = programOf({ host: { CgroupnsMode: 'private' } }, { cgroup: entry });
  const clone = host.find((step) => step.op === 'clone');
  t.equal(clone?.op === 'clone' ? Number(clone.flags) & 0x2000000 : -1, 0, 'not by clone');
  t.ok(isOrdered(init, ['write cgroup', 'unshare cgroup namespace', 'setsid']));
  const unified = programOf().host.find((step) => step.op === 'clone');
  t.ok(
    unified?.op === 'clone' && (Number(unified.flags) & 0x2000000) !== 0, 'by clone in version 2',
  );
  t.end();
});

test('every name inside the container is resolved inside the root', (t) => {
  const { init } = programOf({
    config: { WorkingDir: '/w', Tty: true }, host: { Init: true },
    mounts: [{ type: 'tmpfs', destination: '/t', options: [] }],
  });
  const IN_ROOT = 0x10;
  const hostPaths = new Set([
    '/bundle/rootfs', '/proc/self/oom_score_adj', '/proc/self/exe', '/dev/null', '/sys/fs/cgroup',
  ]);
  const pivot = position(init, 'pivotRoot');
  for (const [at, step] of init.entries()) {
    if (at > pivot || step.op !== 'openat2') continue;
    const fromRoot = step.path.startsWith('/');
    const isSafe = fromRoot && step.dir === 0xffffffff
      ? hostPaths.has(step.path)
      : Number(step.resolve) !== 0 || step.path === '.';
    if (!isSafe) t.fail(`${step.path} in ${step.about ?? ''}`);
    if (fromRoot && step.dir !== 0xffffffff) t.equal(
      Number(step.resolve) & IN_ROOT, IN_ROOT, step.path,
    );
  }
  t.notOk(init.some((step) => step.op === 'mount'), 'mount(2) takes a path');
  t.end();
});

test('overlay: the new way, and the old one for kernels that refuse it', (t) => {
  const { host } = programOf({}, {
    rootfs: {
      kind: 'overlay', lowerdirs: ['/l2', '/l1'], upperdir: '/u', workdir: '/w', volatile: true,
      options: ['metacopy=off'], shortNames: { dir: '/s', lowerdir: 'B:A' },
    },
  });
  const lower = host.filter((step) => step.op === 'fsconfigString' && step.key === 'lowerdir+');
  t.same(lower.map((step) => (step.op === 'fsconfigString' ? step.value : '')), ['/l2', '/l1']);
  t.ok(
    lower.every(
      (step) => step.tolerate?.includes('EINVAL') && step.goto?.startsWith('overlay-old'),
    ),
  );
  const old = host.find((step) => step.op === 'mount');
  t.equal(
    old?.op === 'mount' ? old.data : '',
    'lowerdir=B:A,upperdir=/u,workdir=/w,metacopy=off,volatile',
  );
  t.end();
});

test('an image is mounted where only the container sees it, and taken from there', (t) => {
  const stack = {
    kind: 'overlay', lowerdirs: ['/l2', '/l1'], options: [],
    shortNames: { dir: '/s', lowerdir: 'B:A' },
  } as const;
  const { host, init } = programOf({
    mounts: [{ type: 'overlay', stack, subpath: 'part', destination: '/m' }],
  });
  const ours = host.filter((step) => step.about === 'mount /m');
  t.notOk(ours.some((step) => step.op === 'fsconfigString' && step.key === 'upperdir'));
  const old = ours.find((step) => step.op === 'mount');
  t.equal(old?.op === 'mount' ? old.data : '', 'lowerdir=B:A');
  t.ok(isOrdered(host, [
    'unshare mount namespace', 'fsmount mount /m', 'mount mount /m',
    'openat2 bind source /bundle/rootfs', 'openTree bind source /bundle/rootfs',
    'umount2 mount /m', 'openTree root filesystem', 'clone',
  ]));
  t.ok(isOrdered(init, ['target mount /m', 'moveMount mount /m', 'pivotRoot']));
  t.end();
});

test('an init that waits for nobody borrows the shim\'s memory, its network comes first', (t) => {
  const alone = { isAlone: true };
  const { host, init } = programOf({}, alone);
  t.same(outline(host).slice(-3), ['yield network', 'cloneVm namespaces', 'awaitFd']);
  t.notOk(init.some(({ op }) => op === 'await'));
  const isCopied = (options: Parameters<typeof programOf>[0], plan: Partial<LaunchPlan>): boolean =>
    programOf(options, { ...alone, ...plan }).host.some(({ op }) => op === 'clone');
  t.notOk(isCopied({}, {}));
  const hooks = { createContainer: [], startContainer: [], states: noHooks.states };
  t.ok(isCopied({}, { hooks }), 'hooks are told of it by the host');
  const seccomp = { filter: Buffer.alloc(8), flags: 8, listenerPath: '/l' };
  t.ok(isCopied({}, { seccomp }), 'so is a listener');
  const { linux, ...config } = configOf();
  for (const type of ['time', 'user'] as const) {
    const mappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    const given = {
      ...config,
      linux: {
        ...linux, namespaces: [...linux.namespaces, { type }],
        ...(type === 'user' ? { uidMappings: mappings, gidMappings: mappings } : {}),
      },
    };
    const compiled = compileLaunch(given, planOf(alone)).program;
    t.ok(compiled.host.some(({ op }) => op === 'clone'), `a ${type} namespace`);
  }
  t.end();
});

test('a terminal comes from the container\'s own devpts, and goes to the host by fd', (t) => {
  const { init, host } = programOf({ config: { Tty: true } });
  t.ok(
    isOrdered(
      init,
      [
        'fsopen mount /dev/pts', 'pty console', 'mknodat console', 'notifyFd', 'pivotRoot',
        'setctty',
      ],
    ),
  );
  t.equal(host.filter((step) => step.op === 'awaitFd').length, 2);
  t.notOk(host.some((step) => step.op === 'pipe'));
  t.end();
});

test('joined namespaces: pid by the host, the others by init', (t) => {
  const { host, init } = programOf({
    host: { PidMode: 'container:abc', IpcMode: 'container:abc' }, joinPids: { abc: 77 },
    sandbox: { kind: 'joined', joinPid: 78 },
  });
  t.ok(isOrdered(host, ['openat2 pid namespace /proc/77/ns/pid', 'setns pid namespace', 'clone']));
  t.ok(
    isOrdered(
      init,
      ['setns ipc namespace /proc/77/ns/ipc', 'setns network namespace /proc/78/ns/net', 'setsid'],
    ),
  );
  t.ok(outline(host).includes('setns bind source /proc/77/root/dev/shm'), 'its /dev/shm is shared');
  t.end();
});

test('a network namespace that is passed on is entered before anything is mounted', (t) => {
  const NEWNET = 0x40000000;
  const cloned = (steps: readonly Step[]): number =>
    Number(steps.flatMap((step) => (step.op === 'clone' ? [step.flags] : []))[0] ?? 0);
  const made = compileLaunch(configOf(), planOf());
  t.equal(made.netns, undefined);
  t.equal(cloned(made.program.host) & NEWNET, NEWNET);
  const { program: { host, init }, netns } = compileLaunch(
    configOf(), planOf({ netnsIsPassed: true }));
  t.equal(cloned(host) & NEWNET, 0, 'and no other one is made');
  t.ok(isOrdered(init, ['setns network namespace', 'setsid', 'fsopen mount /sys']));
  const users = (steps: readonly Step[]): unknown[] =>
    steps.filter((step) => 'fd' in step && step.fd === netns).map(({ op }) => op);
  t.same(users(init), ['setns', 'close']);
  t.same(users(host), ['close'], 'whoever looks after the container does not keep it');
  t.end();
});

test('hard limits are bounded by what the daemon may set', (t) => {
  const host = {
    Ulimits: [{ Name: 'nofile', Soft: 5000, Hard: 9000 }, { Name: 'core', Soft: -1, Hard: -1 }],
  };
  const limits = (hardLimits?: ReadonlyMap<number, number>): unknown[] =>
    programOf({ host }, hardLimits === undefined ? {} : { hardLimits }).init
      .flatMap((step) => (step.op === 'setrlimit' ? [[step.resource, step.soft, step.hard]] : []));
  t.same(limits(), [[7, 5000, 9000], [4, -1, -1]]);
  t.same(limits(new Map([[7, 1024], [4, -1]])), [[7, 1024, 1024], [4, -1, -1]]);
  t.end();
});

test('a limit beyond 2^53 is written as it is', (t) => {
  const program = programOf({
    host: { Ulimits: [{ Name: 'nofile', Soft: 1024, Hard: 2 ** 53 }] },
  });
  const step = program.init.find(({ op }) => op === 'setrlimit');
  t.match(step, { hard: 2n ** 53n });
  t.ok(encodeProgram(program).length > 0);
  t.end();
});

test('execve tries each folder of PATH, or the path as it is', (t) => {
  const paths = (options: Parameters<typeof programOf>[0]): readonly string[] => {
    const step = programOf(options).init.at(-1);
    return step?.op === 'execve' ? step.paths : [];
  };
  t.same(paths({ config: { Env: ['PATH=/a:relative::/b'] } }), ['/a/prog', '/b/prog']);
  t.equal(programOf({ host: { Init: true } }).init.at(-1)?.op, 'execveat');
  t.end();
});

test('programs of all kinds can be encoded', (t) => {
  for (const options of [
    {}, { host: { Privileged: true } }, { host: { Init: true }, config: { Tty: true } },
    {
      mounts: [
        {
          type: 'bind', source: '/s', destination: '/d', readonly: true, recursiveReadonly: true,
          propagation: 'rshared', recursive: true,
        },
      ],
    },
  ] as const) {
    t.ok(encodeProgram(programOf(options)).length > 1000);
  }
  t.end();
});

test('the configuration that is compiled is the one that is written', (t) => {
  const config = configOf();
  t.equal(config.ociVersion, '1.2.0');
  t.same(
    config.linux.namespaces.map(({ type }) => type),
    ['mount', 'pid', 'ipc', 'uts', 'network', 'cgroup'],
  );
  t.end();
});

test('a user namespace comes before the others, and the host hands in what init cannot have', (t) => {
  const config = configOf({ mounts: [] });
  const map = [{ containerID: 0, hostID: 1000, size: 10 }];
  const { host, init } = compileLaunch(
    {
      ...config,
      linux: {
        ...config.linux, namespaces: [...config.linux.namespaces, { type: 'user' }],
        uidMappings: map, gidMappings: map,
      },
    },
    planOf(),
  ).program;
  t.ok(isOrdered(host, [
    'userns user namespace', 'unshare mount namespace', 'clone', 'openChild user namespace',
    'setns user namespace', 'mknodat device /dev/null', 'openTree bind source', 'yield network',
  ]));
  t.ok(isOrdered(init, [
    'setns user namespace', 'setresuid user namespace', 'unshare namespaces', 'fork pid namespace',
    'awaitFd user namespace', 'setsid', 'fsopen mount /proc', 'pivotRoot', 'execve prog',
  ]));
  const clone = host.find((step) => step.op === 'clone');
  t.match(clone, { flags: 0 });
  t.equal(
    host.filter(({ op }) => op === 'notifyFd').length,
    init.filter(({ op }) => op === 'awaitFd').length, 'each descriptor is waited for',
  );
  encodeProgram({ host, init });
  t.end();
});
