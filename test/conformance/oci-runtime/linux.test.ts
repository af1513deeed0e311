/** config-linux.md and runtime-linux.md of the OCI runtime specification. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../../support/oci-bundle.js';
import { holdRequirements, type Box, type Requirement } from '../../support/oci-conformance.js';
import { unmountBelow, withMounts } from '../../support/mount-namespaces.js';

type Namespace = Readonly<{ type: string; path?: string }>;

const change = (box: Box, members: object): void =>
  box.configure((config) => Object.assign(config.linux, members));

const namespacesOf = ({ linux }: Config): Namespace[] => linux['namespaces'] as Namespace[];

const links: Readonly<Record<string, string>> = {
  pid: 'pid', network: 'net', mount: 'mnt', ipc: 'ipc', uts: 'uts', cgroup: 'cgroup', user: 'user',
  time: 'time',
};

const own = (type: string): string => readlinkSync(`/proc/self/ns/${links[type] ?? ''}`);

const inside = (box: Box, type: string): Promise<string> =>
  box.says(`readlink /proc/self/ns/${links[type] ?? ''}`);

const root = (config: Config): Record<string, unknown> => config['root'] as Record<string, unknown>;

/** Without the kernel's word on ids a namespace of users is of no use. */
const mapped = {
  uidMappings: [{ containerID: 0, hostID: 0, size: 65536 }],
  gidMappings: [{ containerID: 0, hostID: 0, size: 65536 }],
};

/** Runs while somebody sleeps in a UTS namespace of its own, whose file it is given. */
async function withUts(act: (path: string) => Promise<void>): Promise<void> {
  const child = spawn('unshare', ['--uts', 'sh', '-c', 'echo up; exec sleep 100']);
  try {
    await once(child.stdout, 'data');
    await act(`/proc/${child.pid ?? 0}/ns/uts`);
  } finally {
    child.kill('SIGKILL');
  }
}

const joinUts = (box: Box, path: string, type = 'uts'): void =>
  box.configure((config) => {
    delete config['hostname'];
    const others = namespacesOf(config).filter((each) => each.type !== type);
    config.linux['namespaces'] = [...others, { type, path }];
  });

/** Nothing is mounted for it. */
function withoutMounts(config: Config): void {
  config.mounts = [];
  root(config)['readonly'] = false;
  delete config.linux['maskedPaths'];
  delete config.linux['readonlyPaths'];
}

const namespaces: readonly Requirement[] = [
  ...Object.keys(links).map((type): Requirement => ({
    section: 'Namespaces', says: `${type} without a path is a new one`,
    holds: async (box) => {
      box.configure((config) => {
        const all = namespacesOf(config);
        if (!all.some((each) => each.type === type)) all.push({ type });
        if (type === 'user') Object.assign(config.linux, mapped);
      });
      assert.notEqual(await inside(box, type), own(type));
    },
  })),
  ...['network', 'ipc', 'uts', 'cgroup'].map((type): Requirement => ({
    section: 'Namespaces', says: `${type} that is not listed is the runtime's`,
    holds: async (box) => {
      box.configure((config) => {
        if (type === 'uts') delete config['hostname'];
        const all = namespacesOf(config).filter((each) => each.type !== type);
        config.linux['namespaces'] = all;
      });
      assert.equal(await inside(box, type), own(type));
    },
  })),
  {
    section: 'Namespaces', says: 'the process is in the namespace of a path',
    holds: (box) =>
      withUts(async (path) => {
        joinUts(box, path);
        assert.equal(await inside(box, 'uts'), readlinkSync(path));
      }),
  },
  {
    section: 'Namespaces', says: 'mounts are made in the mount namespace of a path',
    holds: (box) =>
      withMounts(async (path) => {
        box.configure((config) => {
          const others = namespacesOf(config).filter((each) => each.type !== 'mount');
          config.linux['namespaces'] = [...others, { type: 'mount', path }];
        });
        const wanted = readlinkSync(path);
        assert.equal(await box.says('readlink /proc/self/ns/mnt; ls /proc/1/cmdline'),
          `${wanted}\n/proc/1/cmdline`);
      }),
  },
  {
    section: 'Namespaces', says: 'mount that is not listed is the runtime\'s',
    holds: async (box) => {
      box.configure((config) => {
        withoutMounts(config);
        config.linux['namespaces'] = namespacesOf(config).filter((each) => each.type !== 'mount');
      });
      try {
        await box.create();
        const { pid } = await box.state();
        assert.equal(readlinkSync(`/proc/${String(pid)}/ns/mnt`), own('mount'));
      } finally {
        unmountBelow(box.bundle);
      }
    },
  },
  {
    section: 'Namespaces', says: 'a path of another type is an error',
    holds: async (box) => {
      joinUts(box, '/proc/self/ns/net');
      await box.refuses();
    },
  },
  {
    section: 'Namespaces', says: 'a path that is not absolute is an error',
    holds: async (box) => {
      joinUts(box, 'proc/self/ns/uts');
      await box.refuses();
    },
  },
  {
    section: 'Namespaces', says: 'a type that is there twice is an error',
    holds: async (box) => {
      box.configure((config) => namespacesOf(config).push({ type: 'uts' }));
      await box.refuses();
    },
  },
  {
    section: 'Namespaces', says: 'a type that nobody knows is an error',
    holds: async (box) => {
      box.configure((config) => namespacesOf(config).push({ type: 'luck' }));
      await box.refuses();
    },
  },
  {
    section: 'User namespace mappings', says: 'ids are mapped as configured',
    holds: async (box) => {
      box.configure((config) => {
        namespacesOf(config).push({ type: 'user' });
        Object.assign(config.linux, mapped);
      });
      assert.match(await box.says('cat /proc/self/uid_map'), /^\s*0\s+0\s+65536$/);
    },
  },
  {
    section: 'Offset for time namespace', says: 'the clocks are moved (1.1)',
    holds: async (box) => {
      box.configure((config) => {
        namespacesOf(config).push({ type: 'time' });
        config.linux['timeOffsets'] = { boottime: { secs: 1_000_000_000, nanosecs: 0 } };
      });
      assert.match(await box.says('cat /proc/uptime'), /^1\d{9}\./);
    },
  },
];

const device = (path: string, more: object = {}): object => ({
  path, type: 'c', major: 1, minor: 5, fileMode: 0o640, uid: 11, gid: 12, ...more,
});

const supplied = ['null 1,3', 'zero 1,5', 'full 1,7', 'random 1,8', 'urandom 1,9', 'tty 5,0'];

const devices: readonly Requirement[] = [
  {
    section: 'Devices', says: 'a device is there with its numbers, mode and owner',
    holds: async (box) => {
      change(box, { devices: [device('/dev/own')] });
      assert.equal(await box.says('busybox stat -c "%F %t,%T %a %u %g" /dev/own'),
        'character special file 1,5 640 11 12');
    },
  },
  {
    section: 'Devices', says: 'a fifo needs no numbers',
    holds: async (box) => {
      change(box, { devices: [{ path: '/dev/own', type: 'p', fileMode: 0o600 }] });
      assert.equal(await box.says('busybox stat -c %F /dev/own'), 'fifo');
    },
  },
  {
    section: 'Devices', says: 'a file that is there and does not match is an error',
    holds: async (box) => {
      change(box, { devices: [device('/bin/busybox')] });
      await box.refuses();
    },
  },
  ...supplied.map((text): Requirement => {
    const [name = '', numbers = ''] = text.split(' ');
    return {
      section: 'Default devices', says: `/dev/${name} is supplied`,
      holds: async (box) =>
        assert.equal(await box.says(`busybox stat -c %t,%T /dev/${name}`), numbers),
    };
  }),
  {
    section: 'Devices', says: 'a file that is there and matches is none',
    holds: async (box) => {
      mkdirSync(join(box.bundle, 'rootfs/nodes'));
      box.configure((config) => (root(config)['readonly'] = false));
      change(box, { devices: [device('/nodes/own')] });
      for (let i = 0; i < 2; i++) {
        assert.equal(await box.says('busybox stat -c "%t,%T" /nodes/own'), '1,5');
      }
    },
  },
  {
    section: 'Default devices', says: 'they are supplied where nothing is mounted at /dev, too',
    holds: async (box) => {
      box.configure((config) => {
        root(config)['readonly'] = false;
        config.mounts = config.mounts.filter((mount) =>
          !(mount as { destination: string }).destination.startsWith('/dev'));
      });
      assert.equal(await box.says('busybox stat -c %t,%T /dev/null /dev/tty'), '1,3\n5,0');
    },
  },
  {
    section: 'Default devices', says: '/dev/ptmx is the container\'s own',
    holds: async (box) =>
      assert.match(await box.says('readlink /dev/ptmx || busybox stat -c %t,%T /dev/ptmx'),
        /^(\/dev\/)?pts\/ptmx$|^5,2$/),
  },
  ...['fd', 'stdin', 'stdout', 'stderr'].map((name, nth): Requirement => ({
    section: 'Dev symbolic links', says: `/dev/${name} is there`,
    holds: async (box) => {
      const target = name === 'fd' ? '/proc/self/fd' : `/proc/self/fd/${nth - 1}`;
      assert.equal(await box.says(`readlink /dev/${name}`), target);
    },
  })),
  {
    section: 'File descriptors', says: 'none but the standard streams are open',
    holds: async (box) => {
      // The last is that of the folder which is being listed.
      assert.equal(await box.says('exec ls /proc/self/fd'), '0\n1\n2\n3');
    },
  },
];

const kernel: readonly Requirement[] = [
  {
    section: 'Sysctl', says: 'a parameter is as configured',
    holds: async (box) => {
      change(box, { sysctl: { 'net.ipv4.ip_forward': '1', 'kernel.shm_rmid_forced': '1' } });
      assert.equal(await box.says('cat /proc/sys/net/ipv4/ip_forward'), '1');
      assert.equal(await box.says('cat /proc/sys/kernel/shm_rmid_forced'), '1');
    },
  },
  {
    section: 'Network devices', says: 'a link that is not there is an error (1.3)',
    holds: async (box) => {
      change(box, { netDevices: { 'ts-none': {} } });
      await box.refuses();
    },
  },
  {
    section: 'Network devices', says: 'a name that no link can have is an error (1.3)',
    holds: async (box) => {
      change(box, { netDevices: { lo: { name: 'a/b' } } });
      await box.refuses();
    },
  },
  {
    section: 'Memory policy', says: 'mode and nodes are the process\'s (1.3)',
    skip: !existsSync('/proc/self/numa_maps') && 'this kernel knows no memory nodes',
    holds: async (box) => {
      change(box, { memoryPolicy: { mode: 'MPOL_BIND', nodes: '0' } });
      assert.match(await box.says('cat /proc/self/numa_maps'), / bind:0 /);
    },
  },
  {
    section: 'Memory policy', says: 'a mode that nobody knows is an error (1.3)',
    holds: async (box) => {
      change(box, { memoryPolicy: { mode: 'MPOL_LUCK' } });
      await box.refuses();
    },
  },
  {
    section: 'IntelRdt', says: 'without a mounted resctrl it is an error',
    holds: async (box) => {
      change(box, { intelRdt: { closID: 'group', l3CacheSchema: 'L3:0=f' } });
      await box.refuses();
    },
  },
  {
    section: 'Masked paths', says: 'a masked path cannot be read',
    holds: async (box) => {
      writeFileSync(join(box.bundle, 'rootfs/secret'), 'secret');
      mkdirSync(join(box.bundle, 'rootfs/hidden/in'), { recursive: true });
      change(box, { maskedPaths: ['/secret', '/hidden', '/not-there'] });
      assert.equal(await box.says('cat /secret; ls /hidden'), '');
    },
  },
  {
    section: 'Readonly paths', says: 'a read-only path cannot be written',
    holds: async (box) => {
      mkdirSync(join(box.bundle, 'rootfs/fixed'));
      box.configure((config) => {
        root(config)['readonly'] = false;
        config.linux['readonlyPaths'] = ['/fixed', '/not-there'];
      });
      const script = 'echo x > /free; (echo x > /fixed/file) 2>/dev/null || echo refused';
      assert.equal(await box.says(script), 'refused');
    },
  },
  {
    section: 'Personality', says: 'LINUX32 shows a 32-bit machine (1.1)',
    holds: async (box) => {
      change(box, { personality: { domain: 'LINUX32' } });
      const machine = process.arch === 'x64' ? 'i686' : 'armv8l';
      assert.equal(await box.says('busybox uname -m'), machine);
    },
  },
  ...Object.entries({
    shared: /shared:/, slave: /^(?!.*shared:)/, private: /^(?!.*(shared|master):)/,
    unbindable: /unbindable/,
  }).map(([word, shown]): Requirement => ({
    section: 'Rootfs mount propagation', says: `${word} is the root's`,
    holds: async (box) => {
      change(box, { rootfsPropagation: word });
      // The mount point is the fifth word.
      assert.match(await box.says('busybox awk \'$5 == "/"\' /proc/self/mountinfo'), shown);
    },
  })),
];

const seccomp = (syscalls: readonly object[], more: object = {}): object => ({
  seccomp: { defaultAction: 'SCMP_ACT_ALLOW', syscalls, ...more },
});
const mkdirs = ['mkdir', 'mkdirat'];

const filters: readonly Requirement[] = [
  {
    section: 'Seccomp', says: 'an errno is what a call gets, EPERM when none is named',
    holds: async (box) => {
      change(box, seccomp([{ names: mkdirs, action: 'SCMP_ACT_ERRNO' }]));
      const script = 'busybox mkdir /dev/shm/x 2>&1 || true';
      assert.match(await box.says(script), /not permitted/);
      change(box, seccomp([{ names: mkdirs, action: 'SCMP_ACT_ERRNO', errnoRet: 28 }]));
      assert.match(await box.says(script), /No space left/);
    },
  },
  {
    section: 'Seccomp', says: 'arguments are compared',
    holds: async (box) => {
      const args = [{ index: 0, value: 0x60000, op: 'SCMP_CMP_EQ' }];
      change(box, seccomp([{ names: ['unshare'], action: 'SCMP_ACT_ERRNO', args, errnoRet: 28 }]));
      assert.equal(await box.says('busybox uname -s'), 'Linux');
    },
  },
  {
    section: 'Seccomp', says: 'an errno with an action that has none is an error',
    holds: async (box) => {
      change(box, seccomp([{ names: mkdirs, action: 'SCMP_ACT_KILL', errnoRet: 1 }]));
      await box.refuses();
    },
  },
  {
    section: 'Seccomp', says: 'names without an entry are an error',
    holds: async (box) => {
      change(box, seccomp([{ names: [], action: 'SCMP_ACT_ERRNO' }]));
      await box.refuses();
    },
  },
  {
    section: 'Seccomp', says: 'an action that nobody knows is an error',
    holds: async (box) => {
      change(box, seccomp([{ names: mkdirs, action: 'SCMP_ACT_HOPE' }]));
      await box.refuses();
    },
  },
  {
    section: 'Seccomp', says: 'listenerMetadata without listenerPath is an error',
    holds: async (box) => {
      change(box, seccomp([], { listenerMetadata: 'x' }));
      await box.refuses();
    },
  },
];

holdRequirements('config-linux.md', [...namespaces, ...devices, ...kernel, ...filters]);
