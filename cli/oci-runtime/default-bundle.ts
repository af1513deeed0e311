import { systemPaths } from '../../daemon/runtime/spec/paths.js';
import { SPEC_VERSION } from './features.js';

const MAX_FILES = 1024;
const capabilities = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'];
const safe = ['nosuid', 'noexec', 'nodev'];

/** What `spec` writes: a shell in a terminal, in a sandbox that its reader may then loosen. */
export function defaultConfig() {
  const none = { privileged: false, unconfined: false, masked: undefined, readonly: undefined };
  return {
    ociVersion: SPEC_VERSION,
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ['sh'],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'],
      cwd: '/',
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: MAX_FILES, soft: MAX_FILES }],
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'tsdocker',
    mounts: defaultMounts(),
    linux: {
      resources: { devices: [{ allow: false, access: 'rwm' }] },
      namespaces: ['pid', 'network', 'mount', 'ipc', 'uts'].map((type) => ({ type })),
      ...systemPaths({ ...none, thermalThrottle: [] }),
    },
  };
}

/** The same for a user: their own id is root inside, and what only the host's root may is left. */
export function rootlessConfig(uid: number, gid: number): object {
  const config = defaultConfig();
  const { linux } = config;
  const map = (hostID: number): object[] => [{ containerID: 0, hostID, size: 1 }];
  const others = linux.namespaces.filter(({ type }) => type !== 'network');
  return {
    ...config,
    mounts: config.mounts.map(rootlessMount),
    linux: {
      ...linux, resources: {}, namespaces: [...others, { type: 'user' }],
      uidMappings: map(uid), gidMappings: map(gid),
    },
  };
}

/** Sysfs is the host's, whose network it shows, and group 5 has no id there. */
function rootlessMount({ options = [], ...mount }: Mount): Mount {
  return mount.type === 'sysfs'
    ? { ...mount, type: 'none', source: '/sys', options: ['rbind', ...safe, 'ro'] }
    : { ...mount, options: options.filter((option) => !option.startsWith('gid=')) };
}

interface Mount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options?: readonly string[];
}

function defaultMounts(): readonly Mount[] {
  const mount = (
    destination: string,
    type: string,
    options: readonly string[],
    source = type,
  ): Mount => ({ destination, type, source, ...(options.length > 0 ? { options } : {}) });
  return [
    mount('/proc', 'proc', []),
    mount('/dev', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    mount('/dev/pts', 'devpts', [
      'nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5',
    ]),
    mount('/dev/shm', 'tmpfs', [...safe, 'mode=1777', 'size=65536k'], 'shm'),
    mount('/dev/mqueue', 'mqueue', safe),
    mount('/sys', 'sysfs', [...safe, 'ro']),
    mount('/sys/fs/cgroup', 'cgroup', [...safe, 'relatime', 'ro']),
  ];
}
