/** Settings, checked and completed with the defaults: what the rest of the daemon is given. */
import { isIP } from 'node:net';
import { resolve as absolute } from 'node:path';
import type {
  ContainerDefaults,
  DaemonConfig,
  LogLevel,
  NetworkConfig,
  TlsFiles,
} from './config.js';
import { logLevels } from './config.js';
import { buildCacheBytes, buildCachePolicies } from './builder-gc.js';
import { ownRuntimes } from '../own-runtimes.js';
import { ConfigError } from './config-error.js';
import { rootPlaces } from './default-places.js';
import { parseListenAddress } from './listen-address.js';
import type { Settings } from './options.js';
import { optionSpecs } from './options.js';
import { parseInteger } from './units.js';

const defaultShmSizeBytes = 64 * 1024 * 1024;

/** Docker's own: 172.17–172.31 as /16, then 192.168 in /20. */
const defaultAddressPools = [
  ...Array.from({ length: 15 }, (_, at) => ({ base: `172.${17 + at}.0.0/16`, size: 16 })),
  { base: '192.168.0.0/16', size: 20 },
];

function oneOf<Word extends string>(
  words: readonly Word[],
  given: string,
  complaint: string,
): Word {
  const found = words.find((word) => word === given);
  if (found === undefined) throw new ConfigError(`${complaint}: ${given}`);
  return found;
}

function atLeast(least: number, given: number, complaint: string): number {
  if (given < least) throw new ConfigError(`${complaint}: ${given}`);
  return given;
}

function logLevel(settings: Settings): LogLevel {
  if (settings.debug === true) return 'debug';
  const word = settings['log-level'] ?? 'info';
  // dockerd's own words for two of the levels.
  const renamed = { warning: 'warn', panic: 'fatal' }[word] ?? word;
  return oneOf(logLevels, renamed, 'invalid logging level');
}

function tls(settings: Settings, servesTcp: boolean): TlsFiles | undefined {
  const { tlscacert, tlscert, tlskey } = settings;
  const wanted = settings.tlsverify === true;
  if (!wanted && servesTcp) {
    throw new ConfigError('tcp:// is served only with mutual TLS: --tlsverify is missing');
  }
  if (!wanted && settings.tls === true) {
    throw new ConfigError('--tls without --tlsverify would let any client in: use --tlsverify');
  }
  if (!wanted) return undefined;
  if (tlscacert === undefined || tlscert === undefined || tlskey === undefined) {
    throw new ConfigError('--tlsverify needs --tlscacert, --tlscert and --tlskey');
  }
  return { caPath: tlscacert, certPath: tlscert, keyPath: tlskey };
}

function cidr(text: string | undefined, name: string): string | undefined {
  if (text === undefined || text === '') return undefined;
  const [address = '', bits = '', ...rest] = text.split('/');
  const prefix = parseInteger(bits);
  if (isIP(address) !== 4 || prefix === undefined || prefix < 0 || prefix > 32 || rest.length > 0) {
    throw new ConfigError(`${name}: invalid CIDR address: ${text}`);
  }
  return text;
}

function gateway(settings: Settings): string | undefined {
  const address = settings['default-gateway'];
  if (address !== undefined && isIP(address) !== 4) {
    throw new ConfigError(`invalid default gateway: ${address}`);
  }
  return address;
}

function network(settings: Settings): NetworkConfig {
  const bridge = settings.bridge === '' ? undefined : settings.bridge;
  const bip = cidr(settings.bip, 'bip');
  if (bridge === 'none' && bip !== undefined) {
    throw new ConfigError('--bip has no meaning without a default bridge (--bridge none)');
  }
  return {
    bridge,
    bip,
    fixedCidr: cidr(settings['fixed-cidr'], 'fixed-cidr'),
    defaultGateway: gateway(settings),
    addressPools: settings['default-address-pools'] ?? defaultAddressPools,
    mtu: atLeast(0, settings.mtu ?? 1500, 'invalid default MTU') || 1500,
    icc: settings.icc ?? true,
    ipMasq: settings['ip-masq'] ?? true,
    ipForward: settings['ip-forward'] ?? true,
    ip: settings.ip ?? '0.0.0.0',
    dns: settings.dns ?? [],
    dnsOptions: settings['dns-opts'] ?? [],
    dnsSearch: settings['dns-search'] ?? [],
    hostGatewayIps: settings['host-gateway-ips'] ?? [],
    defaultNetworkOptions: settings['default-network-opts'] ?? {},
  };
}

function containerDefaults(settings: Settings): ContainerDefaults {
  const cgroupns = settings['default-cgroupns-mode'];
  return {
    ulimits: settings['default-ulimits'] ?? {},
    shmSizeBytes: atLeast(
      1,
      settings['default-shm-size'] ?? defaultShmSizeBytes,
      'invalid shm size',
    ),
    ipcMode: oneOf(
      ['private', 'shareable'],
      settings['default-ipc-mode'] ?? 'private',
      'IPC is not supported as a default',
    ),
    cgroupnsMode:
      cgroupns === undefined
        ? undefined
        : oneOf<'private' | 'host'>(
            ['private', 'host'],
            cgroupns,
            'invalid default cgroup namespace',
          ),
    init: settings.init ?? false,
    noNewPrivileges: settings['no-new-privileges'] ?? false,
    seccompProfile: settings['seccomp-profile'] ?? 'builtin',
    cgroupParent: settings['cgroup-parent'],
    logDriver: settings['log-driver'] ?? 'json-file',
    logOptions: settings['log-opts'] ?? {},
  };
}

function realtimeBudget(settings: Settings): DaemonConfig['cpuRealtime'] {
  const of = (key: 'cpu-rt-period' | 'cpu-rt-runtime'): number =>
    atLeast(0, settings[key] ?? 0, `invalid ${key}`);
  return { period: of('cpu-rt-period'), runtime: of('cpu-rt-runtime') };
}

function cgroupDriver(execOptions: readonly string[]): 'cgroupfs' | 'systemd' {
  let driver: 'cgroupfs' | 'systemd' = 'cgroupfs';
  for (const option of execOptions) {
    const [name, value = ''] = option.split('=', 2);
    if (name !== 'native.cgroupdriver') throw new ConfigError(`unknown exec-opt: ${option}`);
    driver = oneOf(['cgroupfs', 'systemd'], value, 'native.cgroupdriver');
  }
  return driver;
}

function storageDriver(word: string | undefined): string | undefined {
  if (word === undefined || word === '') return undefined;
  // The same driver under the name that dockerd's files use.
  const name = word === 'overlay2' ? 'overlay' : word;
  return oneOf(['overlay', 'vfs'], name, 'unknown storage driver (there are overlay and vfs)');
}

const loopbackRegistries = ['127.0.0.0/8', '::1/128'];

function insecureRegistry(word: string): string {
  const host = word.replace(/^https?:\/\//, '');
  if (
    host === '' ||
    /[\s?#]/.test(host) ||
    (host.includes('/') && isIP(host.split('/')[0] ?? '') === 0)
  ) {
    throw new ConfigError(`insecure registry ${word} is not valid: expected HOST[:PORT] or CIDR`);
  }
  return host;
}

function isOn(value: unknown): boolean {
  const isEmptyList = Array.isArray(value) && value.length === 0;
  return value !== undefined && value !== false && value !== '' && !isEmptyList;
}

/** What has no effect, as a sentence each; throws on what must not be passed over. */
function warnings(settings: Settings): readonly string[] {
  const said: string[] = [];
  const values: Readonly<Record<string, unknown>> = settings;
  for (const [key, spec] of optionSpecs) {
    const value = values[key];
    if (spec.refused === true && isOn(value)) throw new ConfigError(`${key} is not supported`);
    if (value !== undefined && spec.ignored === true)
      said.push(`${key} has no effect and is ignored`);
  }
  if (settings['live-restore'] === false) {
    said.push('live-restore=false has no effect: containers always outlive the daemon');
  }
  for (const name of Object.keys(settings.features ?? {})) {
    if (name !== 'cdi') said.push(`features.${name} has no effect and is ignored`);
  }
  return said;
}

function runtimes(settings: Settings): Pick<DaemonConfig, 'runtimes' | 'defaultRuntime'> {
  const known = settings.runtimes ?? {};
  const defaultRuntime = settings['default-runtime'];
  const isKnown = [...ownRuntimes, ...Object.keys(known)].includes(defaultRuntime ?? 'runc');
  if (!isKnown) {
    throw new ConfigError(`specified default runtime '${defaultRuntime ?? ''}' does not exist`);
  }
  return { runtimes: known, defaultRuntime };
}

/** One empty folder, or the feature, switches them off, as in dockerd. */
function cdiSpecDirs(settings: Settings): readonly string[] {
  if (settings.features?.['cdi'] === false) return [];
  const dirs = settings['cdi-spec-dirs'] ?? ['/etc/cdi', '/var/run/cdi'];
  return dirs.filter((dir) => dir !== '').map((dir) => absolute(dir));
}

/** Checks the settings and fills in what they leave open; throws `ConfigError`. Reads no files. */
export function resolveConfig(settings: Settings, places = rootPlaces): DaemonConfig {
  const hosts = (settings.hosts ?? [places.host]).map(parseListenAddress);
  const level = logLevel(settings);
  const pidfile = settings.pidfile ?? places.pidfile;
  return {
    hosts,
    tls: tls(settings, hosts.some((host) => host.kind === 'tcp')),
    group: settings.group ?? 'docker',
    isRootless: settings.rootless ?? false,
    dataRoot: absolute(settings['data-root'] ?? places.dataRoot),
    execRoot: absolute(settings['exec-root'] ?? places.execRoot),
    pidfile: pidfile === '' ? undefined : absolute(pidfile),
    logLevel: level,
    logFormat: oneOf(['text', 'json'], settings['log-format'] ?? 'text', 'invalid log format'),
    debug: level === 'debug' || level === 'trace',
    labels: settings.labels ?? [],
    cpuRealtime: realtimeBudget(settings),
    cgroupDriver: cgroupDriver(settings['exec-opts'] ?? []),
    storageDriver: storageDriver(settings['storage-driver']),
    usernsRemap: settings['userns-remap'] === '' ? undefined : settings['userns-remap'],
    network: network(settings),
    containers: containerDefaults(settings),
    cdiSpecDirs: cdiSpecDirs(settings),
    ...runtimes(settings),
    registryMirrors: settings['registry-mirrors'] ?? [],
    insecureRegistries: [
      ...loopbackRegistries,
      ...(settings['insecure-registries'] ?? []).map(insecureRegistry),
    ],
    maxConcurrentDownloads:
      atLeast(0, settings['max-concurrent-downloads'] ?? 3, 'invalid max concurrent downloads') ||
      3,
    maxDownloadAttempts: atLeast(
      1,
      settings['max-download-attempts'] ?? 5,
      'invalid max download attempts',
    ),
    buildCacheBytes: buildCacheBytes(settings.builder),
    buildCachePolicies: buildCachePolicies(settings.builder),
    warnings: warnings(settings),
  };
}
