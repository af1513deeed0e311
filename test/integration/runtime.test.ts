import * as fs from 'node:fs';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import {
  openRuntimeWorld, type ContainerOptions, type RuntimeWorld,
} from '../support/runtime-world.js';

/** An overlay cannot lie on another: where the root is one already, the tests need a plain disk. */
function world(t: Test): RuntimeWorld {
  const opened = openRuntimeWorld(process.env['TSDOCKER_TEST_DIR']);
  t.teardown(() => opened.close());
  return opened;
}

const shell = (script: string): readonly string[] => ['sh', '-c', script];

type Output = (script: string, options?: Omit<ContainerOptions, 'command'>) => Promise<string>;

/** What a script prints in a container of its own, without the last newline. */
function outputs(t: Test): Output {
  const { run } = world(t);
  return async (script, options = {}) => {
    const { output } = await run({ ...options, command: shell(script) });
    return output.trimEnd();
  };
}

const lines = (text: string): string[] => text.split('\n');

test('capabilities are the fourteen of Docker; inheritable and ambient are empty', async (t) => {
  const output = outputs(t);
  const caps = await output('grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status');
  t.same(lines(caps), [
    'CapInh:\t0000000000000000', 'CapPrm:\t00000000a80425fb', 'CapEff:\t00000000a80425fb',
    'CapBnd:\t00000000a80425fb', 'CapAmb:\t0000000000000000', 'NoNewPrivs:\t0', 'Seccomp:\t2',
  ]);
  const user = await output('grep -E "^Cap" /proc/self/status', { config: { User: 'bob' } });
  t.match(user, /CapEff:\t0{16}\n/);
  t.match(user, /CapBnd:\t00000000a80425fb/);
  t.match(user, /CapInh:\t0{16}\n/);
});

test('capabilities are added and dropped, with and without their prefix', async (t) => {
  const output = outputs(t);
  const bounding = async (host: ContainerOptions['host']): Promise<string> =>
    output('grep CapBnd /proc/self/status | cut -f2', { host: host ?? {} });
  t.equal(await bounding({ CapDrop: ['ALL'] }), '0000000000000000');
  t.equal(await bounding({ CapDrop: ['all'], CapAdd: ['chown'] }), '0000000000000001');
  t.equal(await bounding({ CapDrop: ['CAP_MKNOD', 'NET_RAW'] }), '00000000a00405fb');
  t.equal(await bounding({ CapAdd: ['SYS_ADMIN'] }), '00000000a82425fb');
});

test('masked paths are empty, read-only paths refuse, and neither can be changed', async (t) => {
  const output = outputs(t);
  const nullBefore = fs.statSync('/dev/null');
  const text = await output(`
    for p in /proc/acpi /proc/keys /proc/timer_list /proc/interrupts /proc/kcore /sys/firmware; do
      [ -e $p ] || continue
      if [ -d $p ]; then ls -A $p; else cat $p; fi
    done
    for p in /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/irq/default_smp_affinity; do
      (echo x > $p) 2>/dev/null && echo "wrote $p"
    done
    chmod 600 /proc/keys 2>/dev/null && echo changed
    echo done`);
  t.equal(text, 'done');
  t.equal(fs.statSync('/dev/null').mode, nullBefore.mode);
});

test('MaskedPaths and ReadonlyPaths replace the defaults, even by nothing', async (t) => {
  const output = outputs(t);
  const seen = await output('cat /proc/keys | wc -c; cat /bin/secret | wc -c', {
    host: { MaskedPaths: ['/bin/secret', '/no/such/path'] }, files: { '/bin/secret': 'x' },
  });
  t.not(lines(seen)[0], '0');
  t.equal(lines(seen)[1], '0');
  const none = await output('grep -c "/proc/" /proc/self/mountinfo', {
    host: { MaskedPaths: [], ReadonlyPaths: [] },
  });
  t.equal(none, '0');
});

test('mounts, devices and links are those of a container', async (t) => {
  const output = outputs(t);
  const mounts = lines(await output('cut -d" " -f5,6 /proc/self/mountinfo'));
  for (const wanted of [
    '/proc rw,nosuid,nodev,noexec,relatime', '/sys ro,nosuid,nodev,noexec,relatime',
    '/dev/pts rw,nosuid,noexec,relatime', '/dev/mqueue rw,nosuid,nodev,noexec,relatime',
    '/dev/shm rw,nosuid,nodev,noexec,relatime',
  ]) {
    t.ok(mounts.includes(wanted), wanted);
  }
  t.ok(mounts.some((line) => /^\/sys\/fs\/cgroup\S* ro,/.test(line)));
  const nodes = await output(
    'stat -c "%n %t:%T %a" /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty',
  );
  t.same(lines(nodes), [
    '/dev/null 1:3 666', '/dev/zero 1:5 666', '/dev/full 1:7 666', '/dev/random 1:8 666',
    '/dev/urandom 1:9 666', '/dev/tty 5:0 666',
  ]);
  t.equal(
    await output('for l in ptmx fd stdout; do readlink /dev/$l; done'),
    'pts/ptmx\n/proc/self/fd\n/proc/self/fd/1');
  t.equal(
    await output('stat -c %a /dev/shm /dev; df -k /dev/shm | tail -n1 | awk "{print \\$2}"'),
    '1777\n755\n65536',
  );
  t.equal(
    await output('df -k /dev/shm | tail -n1 | awk "{print \\$2}"', { host: { ShmSize: 2 ** 20 } }),
    '1024',
  );
});

test('no fd but the three streams reaches the process', async (t) => {
  const output = outputs(t);
  t.same(
    lines(
      await output('cd /proc/self/fd && for f in *; do readlink $f; done'),
    ).filter((l) => l !== '').length,
    3,
  );
});

test('seccomp refuses what the profile refuses, unless it is unconfined', async (t) => {
  const output = outputs(t);
  t.equal(await output('unshare -U true 2>/dev/null; echo $?'), '1');
  t.equal(
    await output('unshare -U true; echo $?', { host: { SecurityOpt: ['seccomp=unconfined'] } }),
    '0',
  );
  t.equal(
    await output('unshare -U true; echo $?', { host: { SecurityOpt: ['seccomp:unconfined'] } }),
    '0',
  );
  const profile = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
  };
  t.match(
    await output('mkdir /x', { host: { SecurityOpt: [`seccomp=${JSON.stringify(profile)}`] } }),
    /not permitted/,
  );
});

test('no-new-privileges is set with the filter still in place', async (t) => {
  const output = outputs(t);
  const status = await output('grep -E "^(NoNewPrivs|Seccomp:|CapEff)" /proc/self/status', {
    host: { SecurityOpt: ['no-new-privileges'] }, config: { User: '1000' },
  });
  t.same(lines(status), ['CapEff:\t0000000000000000', 'NoNewPrivs:\t1', 'Seccomp:\t2']);
});

test('a privileged container has all there is', async (t) => {
  const output = outputs(t);
  const text = await output(
    'grep -E "^(CapBnd|Seccomp:)" /proc/self/status; ' +
      'grep -c " /proc/[a-z]" /proc/self/mountinfo; ' +
      'grep " /sys " /proc/self/mountinfo | cut -d" " -f6; ls /dev | wc -l',
    { host: { Privileged: true } },
  );
  const [caps = '', seccomp, masks, sys = '', devices] = lines(text);
  const own = /CapBnd:\t(\w+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1];
  t.equal(caps, `CapBnd:\t${own}`);
  t.equal(seccomp, 'Seccomp:\t0');
  t.equal(masks, '0');
  t.match(sys, /^rw,/);
  t.ok(Number(devices) > 14);
});

test('every form of user, with the groups that it implies', async (t) => {
  const output = outputs(t);
  const id = async (User: string, GroupAdd: readonly string[] = []): Promise<string> =>
    output('id -u; id -g; id -G; echo $HOME', { config: { User }, host: { GroupAdd } })
      .then((text) => lines(text).join(' | '));
  t.equal(await id(''), '0 | 0 | 0 10 | /root');
  t.equal(await id('bob'), '1000 | 100 | 100 10 | /home/bob');
  t.equal(await id('1000'), '1000 | 100 | 100 10 | /home/bob');
  t.equal(await id('bob:wheel'), '1000 | 10 | 10 | /home/bob');
  t.equal(await id('4242'), '4242 | 0 | 0 | /');
  t.equal(await id('4242:4343', ['dialout', '77']), '4242 | 4343 | 4343 20 77 | /');
});

test('a user that does not exist, or is no id, is refused with 400', async (t) => {
  const { run } = world(t);
  const refusal = (User: string): Promise<unknown> => run({ command: ['true'], config: { User } });
  await t.rejects(refusal('nobody'), {
    kind: 'InvalidParameter',
    message: 'unable to find user nobody: no matching entries in passwd file',
  });
  for (const user of ['-1', '4294967296', '1000:-1', '2147483648']) {
    await t.rejects(
      refusal(user), { message: 'uids and gids must be in range 0-2147483647' }, user,
    );
  }
  await t.rejects(refusal('0:nogroup'), { message: /unable to find group nogroup/ });
});

test('account files that are links, devices or endless are read within bounds', async (t) => {
  const { run } = world(t);
  const big = '#'.repeat(2 * 1024 * 1024);
  await t.rejects(run({ command: ['true'], files: { '/etc/passwd': big } }), { message: /EFBIG/ });
  const { output } = await run({
    command: ['id', '-u'], config: { User: 'bob' }, files: {
      '/real': 'bob:x:7:7::/:\n', '/etc/passwd': '',
    },
  }).catch((error: unknown) => ({ output: String(error) }));
  t.match(output, /unable to find user bob/);
});

test('the environment is the declared one and nothing else', async (t) => {
  const { run } = world(t);
  const { output } = await run({ command: ['env'], config: { Env: ['A=1', 'PATH=/bin', 'B='] } });
  t.same(lines(output.trimEnd()).filter((line) => !line.startsWith('HOSTNAME=')).sort(), [
    'A=1', 'B=', 'HOME=/root', 'PATH=/bin',
  ]);
});

test('the working directory is made when missing, and never leads out', async (t) => {
  const { run } = world(t);
  const pwd = async (WorkingDir: string, links = {}): Promise<string> =>
    (await run({ command: ['pwd'], config: { WorkingDir }, links })).output.trimEnd();
  t.equal(await pwd('/a/b/c'), '/a/b/c');
  t.equal(await pwd('/link', { '/link': '/../../../bin' }), '/bin');
  for (const dir of ['/proc/self/fd/3', '/proc/self/fd/9', '/proc/1/root']) {
    await t.rejects(pwd(dir), { message: /working directory/ }, dir);
  }
});

test('hostname and domainname are the container\'s own', async (t) => {
  const output = outputs(t);
  const before = fs.readFileSync('/proc/sys/kernel/hostname', 'utf8');
  const names = await output('hostname; cat /proc/sys/kernel/domainname; echo $HOSTNAME', {
    sandbox: { hostname: 'box', domainname: 'example.org' },
  });
  t.equal(names, 'box\nexample.org\nbox');
  t.equal(fs.readFileSync('/proc/sys/kernel/hostname', 'utf8'), before);
});

test('kernel parameters of its own namespaces are set, others are refused', async (t) => {
  const output = outputs(t);
  const values = await output(
    'cd /proc/sys; cat net/ipv4/ip_forward net/ipv4/ip_unprivileged_port_start kernel/msgmax',
    { host: { Sysctls: { 'net.ipv4.ip_forward': '1', 'kernel.msgmax': '4096' } } },
  );
  t.equal(values, '1\n0\n4096');
  for (const name of [
    'kernel.core_pattern', 'vm.swappiness', 'kernel.shm_rmid_forced=1+kernel.core_pattern',
    'net/../kernel/core_pattern', 'kernel.hostname',
  ]) {
    await t.rejects(
      output('true', { host: { Sysctls: { [name]: '1' } } }), { message: /^sysctl/ }, name,
    );
  }
});

test('tmpfs and binds: flags, propagation, read-only, files and folders', async (t) => {
  const { run, folder } = world(t);
  fs.mkdirSync(join(folder, 'shared/sub'), { recursive: true });
  fs.writeFileSync(join(folder, 'shared/file'), 'content');
  const bind = (destination: string, source: string, readonly = false) => ({
    type: 'bind' as const, source: join(folder, source), destination, readonly,
    recursiveReadonly: readonly,
    propagation: '', recursive: true,
  });
  const { output } = await run({
    command: shell(`
      grep -E " /(tmp|data|ro|one) " /proc/self/mountinfo | cut -d" " -f5,6
      cat /one; echo
      echo new > /data/written
      (echo no > /ro/no) 2>/dev/null || echo refused
      stat -c %a /tmp`),
    mounts: [
      bind('/data', 'shared'), bind('/ro', 'shared', true), bind('/one', 'shared/file'),
      { type: 'tmpfs', destination: '/tmp', options: ['size=1m', 'mode=700', 'exec'] },
    ],
  });
  t.match(output, '/tmp rw,nosuid,nodev,relatime');
  t.match(output, /\/ro ro,/);
  t.match(output, 'content\nrefused\n700\n');
  t.equal(fs.readFileSync(join(folder, 'shared/written'), 'utf8'), 'new\n');
});

test('a mount over /proc is refused, by name and through a link of the image', async (t) => {
  const { run, folder } = world(t);
  const mounts = (destination: string) => [{
    type: 'bind' as const, source: folder, destination, readonly: false, recursiveReadonly: false,
    propagation: '', recursive: true,
  }];
  await t.rejects(
    run({ command: ['true'], mounts: mounts('/proc') }), { message: /inside \/proc/ },
  );
  await t.rejects(
    run({ command: ['true'], mounts: mounts('/x/../proc/sys') }), { message: /inside \/proc/ },
  );
  await t.rejects(
    run({ command: ['true'], mounts: mounts('/link'), links: { '/link': '/proc/sys' } }),
    { message: /leads into \/proc/ },
  );
});

test('links in the image lead no mount out of the root', async (t) => {
  const { run, folder } = world(t);
  const canary = join(folder, 'canary');
  fs.mkdirSync(canary);
  const { output } = await run({
    command: ['ls', '/dev/null'], links: {
      '/dev': canary, '/proc': canary, '/out': `../../../..${canary}`,
    },
    mounts: [{
      type: 'tmpfs', destination: '/out/made', options: [],
    }],
  }).catch((error: unknown) => ({ output: String(error) }));
  t.ok(output.length > 0);
  t.same(fs.readdirSync(canary), []);
});

test('a read-only root is read-only, and its mounts are not', async (t) => {
  const output = outputs(t);
  const script = 'touch /x 2>/dev/null || echo refused; touch /dev/shm/x /tmp/x && echo written';
  const text = await output(script, {
    host: { ReadonlyRootfs: true }, mounts: [{ type: 'tmpfs', destination: '/tmp', options: [] }],
  });
  t.equal(text, 'refused\nwritten');
});

test('devices of the user are there, usable, and no others', async (t) => {
  const output = outputs(t);
  const text = await output(
    'stat -c "%t:%T" /dev/mine; head -c 1 /dev/mine | wc -c; ' +
      'mknod /tmp-disk b 8 0 2>/dev/null || echo "no disk"; ' +
      'mknod /mem c 1 1 && (head -c1 /mem >/dev/null) 2>/dev/null || echo "no mem"',
    {
      host: {
        Devices: [
          { PathOnHost: '/dev/zero', PathInContainer: '/dev/mine', CgroupPermissions: 'r' },
        ],
      },
    },
  );
  t.same(lines(text), ['1:5', '1', 'no disk', 'no mem']);
});

test('namespaces are its own, the host\'s or another\'s', async (t) => {
  const { run, create } = world(t);
  const names = ['pid', 'ipc', 'uts', 'net', 'mnt', 'cgroup'];
  const read = `for n in ${names.join(' ')}; do readlink /proc/self/ns/$n; done`;
  const own = lines((await run({ command: shell(read) })).output);
  const ours = names.map((name) => fs.readlinkSync(`/proc/self/ns/${name}`));
  for (const [i, name] of names.entries()) {
    if (name !== 'cgroup') t.not(own[i], ours[i], `${name} is its own`);
  }
  const shared = lines((await run({
    command: shell(read), host: {
      PidMode: 'host', IpcMode: 'host', UTSMode: 'host', CgroupnsMode: 'host',
    },
    sandbox: { kind: 'host' },
  })).output);
  for (const [i, name] of names.entries()) {
    if (name !== 'mnt') t.equal(shared[i], ours[i], `${name} is the host's`);
  }
  const other = await create({ command: ['sleep', '60'], host: { IpcMode: 'shareable' } });
  await other.start();
  fs.writeFileSync(`/proc/${other.pid}/root/dev/shm/hello`, 'shared');
  const joined = await run({
    command: shell(`${read}; cat /dev/shm/hello`),
    host: { PidMode: `container:${other.containerId}`, IpcMode: `container:${other.containerId}` },
    sandbox: { kind: 'joined', joinPid: other.pid }, joinPids: { [other.containerId]: other.pid },
  });
  const theirs = ['pid', 'ipc', 'net'].map(
    (name) => fs.readlinkSync(`/proc/${other.pid}/ns/${name}`),
  );
  const [pid, ipc, , net] = lines(joined.output);
  t.same([pid, ipc, net], theirs);
  t.match(joined.output, /shared$/);
});

test('a cgroup namespace of its own shows the container\'s group as the root', async (t) => {
  const output = outputs(t);
  const list = 'ls /sys/fs/cgroup/memory /sys/fs/cgroup 2>/dev/null | grep -c tsdocker-';
  const text = await output(`cat /proc/self/cgroup; ${list}`, {
    host: { CgroupnsMode: 'private' },
  });
  t.match(text, /:memory:\/\n|^0::\/\n/);
  t.match(text, /\n0$/);
});
