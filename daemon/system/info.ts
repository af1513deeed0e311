import { readFileSync, readdirSync } from 'node:fs';
import os from 'node:os';
import type { SystemInfo } from '../../api-spec/index.js';
import type { HostFacts } from '../runtime/host-facts.js';
import { serverVersion } from './version.js';
import type { BuildFacts } from './version.js';

/** What `info` tells that the daemon knows from its start on. */
export interface InfoFacts {
  readonly build: BuildFacts;
  readonly host: HostFacts;
  readonly engineId: string;
  readonly dataRoot: string;
  readonly labels: readonly string[];
  readonly logDriver: string;
  readonly logDrivers: readonly string[];
  readonly storageDriver: string;
  readonly driverStatus: () => readonly (readonly [string, string])[];
  readonly defaultRuntime: string;
  /** Those that are not our own, by name. */
  readonly runtimes: Readonly<
    Record<string, { readonly path: string; readonly runtimeArgs: readonly string[] }>
  >;
  readonly registryMirrors: readonly string[];
  readonly insecureRegistries: readonly string[];
  readonly addressPools: readonly { readonly base: string; readonly size: number }[];
  readonly noNewPrivileges: boolean;
  /** `builtin`, `unconfined`, or the path of a file. */
  readonly seccompProfile: string;
  readonly debug: boolean;
  /** Containers have user namespaces. */
  readonly isRemapped: boolean;
  /** By an ordinary user. */
  readonly isRootless: boolean;
  readonly cgroupDriver: 'cgroupfs' | 'systemd' | 'none';
  readonly networkDrivers: readonly string[];
  readonly cdiSpecDirs: readonly string[];
  /** Names of the devices that are described there now. */
  readonly cdiDevices: () => readonly string[];
}

/** What it tells of this moment. */
export interface InfoCounts {
  readonly running: number;
  readonly paused: number;
  readonly stopped: number;
  readonly images: number;
}

/** Answer to SystemInfo. */
export function describeInfo(
  facts: InfoFacts,
  counts: InfoCounts,
  warnings: readonly string[],
): SystemInfo {
  const { host } = facts;
  return {
    ID: facts.engineId,
    Containers: counts.running + counts.paused + counts.stopped,
    ContainersRunning: counts.running,
    ContainersPaused: counts.paused,
    ContainersStopped: counts.stopped,
    Images: counts.images,
    Driver: facts.storageDriver,
    DriverStatus: facts.driverStatus().map((row) => [...row]),
    DockerRootDir: facts.dataRoot,
    Plugins: {
      Volume: ['local'],
      Network: [...facts.networkDrivers],
      Authorization: null,
      Log: [...facts.logDrivers],
    },
    ...limits(host, facts.cgroupDriver !== 'none'),
    CgroupDriver: facts.cgroupDriver,
    ...machine(facts),
    LoggingDriver: facts.logDriver,
    NFd: readdirSync('/proc/self/fd').length,
    NGoroutines: 1,
    NEventsListener: 0,
    SystemTime: new Date().toISOString(),
    Debug: facts.debug,
    ExperimentalBuild: false,
    Labels: [...facts.labels],
    ServerVersion: serverVersion(facts.build),
    ...registries(facts),
    ...runtimes(facts),
    DefaultAddressPools: facts.addressPools.map(({ base, size }) => ({ Base: base, Size: size })),
    LiveRestoreEnabled: true,
    SecurityOptions: securityOptions(facts),
    FirewallBackend: { Driver: 'nftables' },
    GenericResources: null,
    CDISpecDirs: [...facts.cdiSpecDirs],
    ...discovered(facts),
    Warnings: allWarnings([
      ...seccompWarnings(facts), ...cgroupWarnings(facts), ...warnings,
    ]),
  };
}

function discovered({ cdiDevices }: InfoFacts): Pick<SystemInfo, 'DiscoveredDevices'> {
  const found = cdiDevices().map((ID) => ({ Source: 'cdi', ID }));
  return found.length === 0 ? {} : { DiscoveredDevices: found };
}

/** Null when all is well, as in Docker. */
function allWarnings(others: readonly string[]): string[] | null {
  const forwards = readText('/proc/sys/net/ipv4/ip_forward').trim() === '1';
  const all = [...(forwards ? [] : ['WARNING: IPv4 forwarding is disabled']), ...others];
  return all.length === 0 ? null : all;
}

function limits({ cgroups }: HostFacts, hasGroups: boolean) {
  return {
    MemoryLimit: hasGroups,
    SwapLimit: hasGroups,
    KernelMemoryTCP: hasGroups && cgroups.version === 1,
    CpuCfsPeriod: hasGroups,
    CpuCfsQuota: hasGroups,
    CPUShares: hasGroups,
    CPUSet: hasGroups,
    PidsLimit: hasGroups,
    OomKillDisable: hasGroups && cgroups.version === 1,
    IPv4Forwarding: readText('/proc/sys/net/ipv4/ip_forward').trim() === '1',
    BridgeNfIptables: false,
    BridgeNfIp6tables: false,
    CgroupVersion: cgroups.version === 1 ? ('1' as const) : ('2' as const),
  };
}

function machine({ host }: InfoFacts) {
  const release = osRelease(readText('/etc/os-release') || readText('/usr/lib/os-release'));
  return {
    KernelVersion: os.release(),
    OperatingSystem: release['PRETTY_NAME'] ?? 'Linux',
    OSVersion: release['VERSION_ID'] ?? '',
    OSType: 'linux',
    Architecture: os.machine(),
    NCPU: host.cpus,
    MemTotal: os.totalmem(),
    Name: os.hostname(),
    HttpProxy: process.env['HTTP_PROXY'] ?? '',
    HttpsProxy: process.env['HTTPS_PROXY'] ?? '',
    NoProxy: process.env['NO_PROXY'] ?? '',
  };
}

function registries({ registryMirrors, insecureRegistries }: InfoFacts) {
  const hub = { Name: 'docker.io', Mirrors: [...registryMirrors], Secure: true, Official: true };
  const isCidr = (entry: string): boolean => /\/\d+$/.test(entry);
  const listed = insecureRegistries
    .filter((entry) => !isCidr(entry))
    .map((name) => [name, { Name: name, Mirrors: [], Secure: false, Official: false }] as const);
  return {
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: {
      InsecureRegistryCIDRs: [
        ...new Set(['::1/128', '127.0.0.0/8', ...insecureRegistries.filter(isCidr)]),
      ],
      IndexConfigs: { 'docker.io': hub, ...Object.fromEntries(listed) },
      Mirrors: registryMirrors.length === 0 ? null : [...registryMirrors],
    },
  };
}

function runtimes({ defaultRuntime, runtimes: others, build }: InfoFacts) {
  return {
    Runtimes: {
      // The name that clients send when they mean "the ordinary one".
      runc: { path: 'tsdocker-runtime' },
      ...Object.fromEntries(Object.entries(others).map(([name, { path, runtimeArgs }]) => [
        name, { path, ...(runtimeArgs.length === 0 ? {} : { runtimeArgs: [...runtimeArgs] }) },
      ])),
    },
    DefaultRuntime: defaultRuntime,
    ContainerdCommit: { ID: '' },
    RuncCommit: { ID: build.engineVersion },
    InitCommit: { ID: build.engineVersion },
    InitBinary: 'docker-init',
    Isolation: '',
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive' as const,
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
  };
}

function seccompWarnings({ seccompProfile }: InfoFacts): readonly string[] {
  const isUsual = seccompProfile === 'builtin';
  return isUsual ? [] : ['WARNING: daemon is not using the default seccomp profile'];
}

/** As Docker tells of each limit that there is not. */
function cgroupWarnings({ cgroupDriver }: InfoFacts): readonly string[] {
  if (cgroupDriver !== 'none') return [];
  return [
    'No memory limit support', 'No swap limit support', 'No cpu cfs quota support',
    'No cpu cfs period support', 'No cpu shares support', 'No cpuset support',
    'No pids limit support',
  ].map((what) => `WARNING: ${what}`);
}

function securityOptions(facts: InfoFacts): string[] {
  const { host, noNewPrivileges, isRemapped, isRootless, seccompProfile } = facts;
  return [
    ...(host.apparmor ? ['name=apparmor'] : []),
    `name=seccomp,profile=${seccompProfile}`,
    ...(isRemapped ? ['name=userns'] : []),
    ...(isRootless ? ['name=rootless'] : []),
    ...(host.cgroups.version === 2 ? ['name=cgroupns'] : []),
    ...(noNewPrivileges ? ['name=no-new-privileges'] : []),
  ];
}

/** `KEY="value"` lines of os-release(5). */
function osRelease(text: string): Readonly<Record<string, string>> {
  const values: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const [, key, value = ''] = /^([A-Z_]+)=(.*)$/.exec(line) ?? [];
    if (key !== undefined) values[key] = value.replace(/^(["'])(.*)\1$/, '$2');
  }
  return values;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
