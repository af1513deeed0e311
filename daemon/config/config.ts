import type { IdMappings } from '../../native/id-maps.js';
import type { BuildCachePolicy } from './builder-gc.js';

/** Where the API is served. */
export type ListenAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  /** Sockets that systemd passed (`fd://`), all or those of one name (`fd://NAME`). */
  | { readonly kind: 'fd'; readonly name: string | undefined };

/** Paths of the files for mutual TLS. */
export interface TlsFiles {
  readonly caPath: string;
  readonly certPath: string;
  readonly keyPath: string;
}

/** A resource limit by the name that `ulimit` knows; -1 is unlimited. */
export interface Ulimit {
  readonly Name: string;
  readonly Soft: number;
  readonly Hard: number;
}

/** A range from which networks without a subnet of their own are given one of `size` bits. */
export interface AddressPool {
  /** CIDR. */
  readonly base: string;
  /** Prefix length of each network. */
  readonly size: number;
}

/** A runtime that `--runtime NAME` chooses. */
export interface RuntimeOption {
  readonly path: string;
  readonly runtimeArgs: readonly string[];
}

/** The addresses and options of the default bridge and of networks that do not say otherwise. */
export interface NetworkConfig {
  /**
   * Name of the default bridge, made when it is missing (dockerd wants one that exists); `none` for
   * no default bridge; undefined for docker0 or the next free name.
   */
  readonly bridge: string | undefined;
  /** Address of our default bridge as CIDR. */
  readonly bip: string | undefined;
  /** Containers of the default bridge get addresses of this CIDR only. */
  readonly fixedCidr: string | undefined;
  readonly defaultGateway: string | undefined;
  readonly addressPools: readonly AddressPool[];
  readonly mtu: number;
  /** Containers of the default bridge may talk to one another. */
  readonly icc: boolean;
  readonly ipMasq: boolean;
  /** Whether net.ipv4.ip_forward is switched on. */
  readonly ipForward: boolean;
  /** Address for published ports that name none. */
  readonly ip: string;
  readonly dns: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly hostGatewayIps: readonly string[];
  /** Driver options for new networks, by driver. */
  readonly defaultNetworkOptions: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** What a container gets when it does not ask for anything else. */
export interface ContainerDefaults {
  readonly ulimits: Readonly<Record<string, Ulimit>>;
  readonly shmSizeBytes: number;
  readonly ipcMode: 'private' | 'shareable';
  /** Undefined: private on cgroup v2, host on v1, as Docker. */
  readonly cgroupnsMode: 'private' | 'host' | undefined;
  readonly init: boolean;
  readonly noNewPrivileges: boolean;
  /** The path of a file, `unconfined`, or `builtin`. */
  readonly seccompProfile: string;
  /** Undefined: a parent whose name is derived from the data root. */
  readonly cgroupParent: string | undefined;
  readonly logDriver: string;
  readonly logOptions: Readonly<Record<string, string>>;
}

/** What a daemon inside namespaces of its own has of those outside. */
export interface Outside {
  /** Of the shim that binds ports there. */
  readonly socket: string;
  /** A descriptor: the namespaces last while somebody has it open. */
  readonly aliveFd: number;
}

/** All that the daemon was told, checked; it does not change while the daemon runs. */
export interface DaemonConfig {
  readonly hosts: readonly ListenAddress[];
  /** Set when a TCP address is served; clients must show a certificate of this CA. */
  readonly tls: TlsFiles | undefined;
  /** Group of unix sockets. */
  readonly group: string;
  /** By an ordinary user, in a user namespace. */
  readonly isRootless: boolean;
  /** With that, once it is inside: what it has of the host. */
  readonly outside?: Outside;
  /** Absolute; with `remap` the folder of these owners alone. */
  readonly dataRoot: string;
  /** Absolute. */
  readonly execRoot: string;
  readonly pidfile: string | undefined;
  readonly logLevel: LogLevel;
  readonly logFormat: 'text' | 'json';
  readonly debug: boolean;
  readonly labels: readonly string[];
  /** What all containers may take of real time, in microseconds; 0: as the kernel has it. */
  readonly cpuRealtime: { readonly period: number; readonly runtime: number };
  /** Who makes the containers' control groups. */
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
  /** Undefined: the best that works on the data root. */
  readonly storageDriver: string | undefined;
  /** As it was said: `default`, a user, or a user and a group. */
  readonly usernsRemap: string | undefined;
  /** What ids of containers are on the host; the same where it is absent. */
  readonly remap?: IdMappings;
  readonly network: NetworkConfig;
  readonly containers: ContainerDefaults;
  /** Absolute; empty where devices by CDI are switched off. */
  readonly cdiSpecDirs: readonly string[];
  readonly runtimes: Readonly<Record<string, RuntimeOption>>;
  readonly defaultRuntime: string | undefined;
  /** URLs with a trailing slash. */
  readonly registryMirrors: readonly string[];
  /** `host[:port]` or CIDR each; loopback is always among them. */
  readonly insecureRegistries: readonly string[];
  readonly maxConcurrentDownloads: number;
  readonly maxDownloadAttempts: number;
  /** What the build cache may have; undefined for a tenth of its disk, 0 for no bound. */
  readonly buildCacheBytes: number | undefined;
  /** If there are any, they are all that the cache is held to. */
  readonly buildCachePolicies: readonly BuildCachePolicy[];
  /** What was accepted and has no effect, to be logged once. */
  readonly warnings: readonly string[];
}

/** Least severe first. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

/** A word of `--log-level`. */
export type LogLevel = (typeof logLevels)[number];
