/**
 * Every option of dockerd: its key in `daemon.json`, its flag, its kind. An option marked `ignored`
 * is known and not needed here: it is accepted with a warning, so that a file that worked with
 * dockerd works with tsdockerd.
 */
import type { kinds } from './kinds.js';

interface OptionSpec {
  /** Without dashes; absent: only in the file. */
  readonly flag?: string;
  readonly short?: string;
  readonly kind: keyof typeof kinds;
  readonly text?: string;
  /** Accepted with a warning. */
  readonly ignored?: true;
  /** An error when it is switched on: to pass over it would leave the host less safe than asked. */
  readonly refused?: true;
}

const used = {
  'bip': { flag: 'bip', kind: 'string', text: 'Address of the default bridge, as CIDR' },
  'bridge': { flag: 'bridge', short: 'b', kind: 'string', text: 'Name of the default bridge, made when missing (none: no default bridge)' },
  'cdi-spec-dirs': { flag: 'cdi-spec-dir', kind: 'strings', text: 'Folder with descriptions of devices (default /etc/cdi and /var/run/cdi; repeatable)' },
  'cpu-rt-period': { flag: 'cpu-rt-period', kind: 'integer', text: 'Period of the real-time budget of all containers, in microseconds' },
  'cpu-rt-runtime': { flag: 'cpu-rt-runtime', kind: 'integer', text: 'Real-time budget of all containers, in microseconds of each period' },
  'cgroup-parent': { flag: 'cgroup-parent', kind: 'string', text: 'Parent cgroup of all containers' },
  'data-root': { flag: 'data-root', kind: 'string', text: 'Where images, containers and volumes are kept (default /var/lib/tsdocker)' },
  'debug': { flag: 'debug', short: 'D', kind: 'boolean', text: 'Same as --log-level debug' },
  'default-address-pools': { flag: 'default-address-pool', kind: 'pools', text: 'Range for new networks: base=CIDR,size=BITS (repeatable)' },
  'default-cgroupns-mode': { flag: 'default-cgroupns-mode', kind: 'string', text: 'Cgroup namespace of containers: host or private' },
  'default-gateway': { flag: 'default-gateway', kind: 'string', text: 'Gateway of the default bridge' },
  'default-ipc-mode': { flag: 'default-ipc-mode', kind: 'string', text: 'IPC of containers: shareable or private (default private)' },
  'default-network-opts': { flag: 'default-network-opt', kind: 'networkOptions', text: 'Option for new networks: DRIVER=KEY=VALUE (repeatable)' },
  'default-runtime': { flag: 'default-runtime', kind: 'string', text: 'Runtime of containers' },
  'default-shm-size': { flag: 'default-shm-size', kind: 'size', text: 'Size of /dev/shm (default 64MiB)' },
  'default-ulimits': { flag: 'default-ulimit', kind: 'ulimits', text: 'Ulimit of containers: NAME=SOFT[:HARD] (repeatable)' },
  'dns': { flag: 'dns', kind: 'addresses', text: 'DNS server (repeatable)' },
  'dns-opts': { flag: 'dns-opt', kind: 'strings', text: 'DNS option (repeatable)' },
  'dns-search': { flag: 'dns-search', kind: 'strings', text: 'DNS search domain (repeatable)' },
  'exec-opts': { flag: 'exec-opt', kind: 'strings', text: 'native.cgroupdriver=cgroupfs or systemd' },
  'exec-root': { flag: 'exec-root', kind: 'string', text: 'Where sockets of running containers are (default /run/tsdocker)' },
  'builder': { kind: 'anything' },
  'features': { kind: 'booleans' },
  'fixed-cidr': { flag: 'fixed-cidr', kind: 'string', text: 'Part of the bridge subnet for containers' },
  'group': { flag: 'group', short: 'G', kind: 'string', text: 'Group of the unix socket (default docker)' },
  'host-gateway-ips': { flag: 'host-gateway-ip', kind: 'addresses', text: 'What host-gateway stands for in --add-host' },
  'hosts': { flag: 'host', short: 'H', kind: 'strings', text: 'Serve on unix://PATH, fd:// or tcp://HOST:PORT (repeatable)' },
  'icc': { flag: 'icc', kind: 'boolean', text: 'Containers of the default bridge may talk to one another (default true)' },
  'init': { flag: 'init', kind: 'boolean', text: 'Run an init in every container' },
  'insecure-registries': { flag: 'insecure-registry', kind: 'strings', text: 'Registry without TLS: HOST[:PORT] or CIDR (repeatable)' },
  'ip': { flag: 'ip', kind: 'address', text: 'Address for published ports (default 0.0.0.0)' },
  'ip-forward': { flag: 'ip-forward', kind: 'boolean', text: 'Switch on net.ipv4.ip_forward (default true)' },
  'ip-masq': { flag: 'ip-masq', kind: 'boolean', text: 'Masquerade what leaves the default bridge (default true)' },
  'labels': { flag: 'label', kind: 'labels', text: 'Label of this daemon: KEY=VALUE (repeatable)' },
  'live-restore': { flag: 'live-restore', kind: 'boolean', text: 'Containers outlive the daemon: always so' },
  'log-driver': { flag: 'log-driver', kind: 'string', text: 'Log driver of containers (default json-file)' },
  'log-format': { flag: 'log-format', kind: 'string', text: 'Log of this daemon: text or json (default text)' },
  'log-level': { flag: 'log-level', short: 'l', kind: 'string', text: 'debug, info, warn, error or fatal (default info)' },
  'log-opts': { flag: 'log-opt', kind: 'map', text: 'Option of the log driver: KEY=VALUE (repeatable)' },
  'max-concurrent-downloads': { flag: 'max-concurrent-downloads', kind: 'integer', text: 'Layers fetched at once (default 3)' },
  'max-download-attempts': { flag: 'max-download-attempts', kind: 'integer', text: 'Tries per layer (default 5)' },
  'mtu': { flag: 'mtu', kind: 'integer', text: 'MTU of the default bridge (default 1500)' },
  'no-new-privileges': { flag: 'no-new-privileges', kind: 'boolean', text: 'Set no_new_privs in every container' },
  'pidfile': { flag: 'pidfile', short: 'p', kind: 'string', text: 'File for the pid (default /var/run/tsdocker.pid)' },
  'registry-mirrors': { flag: 'registry-mirror', kind: 'mirrors', text: 'Mirror of Docker Hub: URL (repeatable)' },
  'rootless': { flag: 'rootless', kind: 'boolean', text: 'Run as an ordinary user: paths are those of XDG' },
  'runtimes': { flag: 'add-runtime', kind: 'runtimes', text: 'Another OCI runtime: NAME=PATH (repeatable)' },
  'seccomp-profile': { flag: 'seccomp-profile', kind: 'string', text: 'Default profile: a path, builtin or unconfined' },
  'storage-driver': { flag: 'storage-driver', short: 's', kind: 'string', text: 'Storage driver: overlay or vfs' },
  'tls': { flag: 'tls', kind: 'boolean', text: 'Implied by --tlsverify; not enough on its own' },
  'tlscacert': { flag: 'tlscacert', kind: 'string', text: 'CA whose clients are let in' },
  'tlscert': { flag: 'tlscert', kind: 'string', text: 'Certificate of this daemon' },
  'tlskey': { flag: 'tlskey', kind: 'string', text: 'Key of this daemon' },
  'tlsverify': { flag: 'tlsverify', kind: 'boolean', text: 'Serve TCP with mutual TLS' },
  'userns-remap': { flag: 'userns-remap', kind: 'string', text: 'User namespaces for containers: default, or USER[:GROUP] with ranges in /etc/subuid and /etc/subgid' },
} as const satisfies Record<string, OptionSpec>;

const ignored = {
  'allow-direct-routing': { flag: 'allow-direct-routing', kind: 'boolean', ignored: true },
  'allow-nondistributable-artifacts': { flag: 'allow-nondistributable-artifacts', kind: 'strings', ignored: true },
  'authorization-plugins': { flag: 'authorization-plugin', kind: 'strings', refused: true },
  'bip6': { flag: 'bip6', kind: 'string', ignored: true },
  'bridge-accept-fwmark': { flag: 'bridge-accept-fwmark', kind: 'string', ignored: true },
  'containerd': { flag: 'containerd', kind: 'string', ignored: true },
  'containerd-namespace': { flag: 'containerd-namespace', kind: 'string', ignored: true },
  'containerd-plugin-namespace': { flag: 'containerd-plugins-namespace', kind: 'string', ignored: true },
  'cri-containerd': { flag: 'cri-containerd', kind: 'boolean', ignored: true },
  'default-gateway-v6': { flag: 'default-gateway-v6', kind: 'string', ignored: true },
  'experimental': { flag: 'experimental', kind: 'boolean', ignored: true },
  'firewall-backend': { flag: 'firewall-backend', kind: 'string', ignored: true },
  'fixed-cidr-v6': { flag: 'fixed-cidr-v6', kind: 'string', ignored: true },
  'http-proxy': { flag: 'http-proxy', kind: 'string', ignored: true },
  'https-proxy': { flag: 'https-proxy', kind: 'string', ignored: true },
  'init-path': { flag: 'init-path', kind: 'string', ignored: true },
  'ip-forward-no-drop': { flag: 'ip-forward-no-drop', kind: 'boolean', ignored: true },
  'ip6tables': { flag: 'ip6tables', kind: 'boolean', ignored: true },
  'iptables': { flag: 'iptables', kind: 'boolean', ignored: true },
  'ipv6': { flag: 'ipv6', kind: 'boolean', ignored: true },
  'max-concurrent-uploads': { flag: 'max-concurrent-uploads', kind: 'integer', ignored: true },
  'metrics-addr': { flag: 'metrics-addr', kind: 'string', ignored: true },
  'network-control-plane-mtu': { flag: 'network-control-plane-mtu', kind: 'integer', ignored: true },
  'network-diagnostic-port': { flag: 'network-diagnostic-port', kind: 'integer', ignored: true },
  'no-proxy': { flag: 'no-proxy', kind: 'string', ignored: true },
  'node-generic-resources': { flag: 'node-generic-resource', kind: 'strings', ignored: true },
  'proxies': { kind: 'anything', ignored: true },
  'raw-logs': { flag: 'raw-logs', kind: 'boolean', ignored: true },
  'selinux-enabled': { flag: 'selinux-enabled', kind: 'boolean', refused: true },
  'shutdown-timeout': { flag: 'shutdown-timeout', kind: 'integer', ignored: true },
  'storage-opts': { flag: 'storage-opt', kind: 'strings', refused: true },
  'swarm-default-advertise-addr': { flag: 'swarm-default-advertise-addr', kind: 'string', ignored: true },
  'userland-proxy': { flag: 'userland-proxy', kind: 'boolean', ignored: true },
  'userland-proxy-path': { flag: 'userland-proxy-path', kind: 'string', ignored: true },
} as const satisfies Record<string, OptionSpec>;

/** By key of `daemon.json`. */
export const options = { ...used, ...ignored };

/** A key of `daemon.json`. */
export type OptionKey = keyof typeof options;

type KindValue = {
  [Kind in keyof typeof kinds]: ReturnType<(typeof kinds)[Kind]['fromFlag']>;
};

/** What a command line or a file said, by key; what it did not say is absent. */
export type Settings = {
  -readonly  [Key in OptionKey]?: KindValue[(typeof options)[Key]['kind']];
};

/** The specs by key, in the widest type, for code that walks over all of them. */
export const optionSpecs: ReadonlyMap<OptionKey, OptionSpec> = new Map(
  // Object.entries widens the keys to string; they are the keys of `options` and nothing else.
  Object.entries(options) as [OptionKey, OptionSpec][],
);
