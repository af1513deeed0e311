/** From a container's record to its OCI configuration. Pure: what it needs of the host is given. */
import type { Ulimit } from '../../api-spec/index.js';
import type { TaskRequest } from '../containers/needs.js';
import { DEFAULT_PROFILE } from './apparmor.js';
import type { HostFacts } from './host-facts.js';
import type {
  OciConfig, OciDevice, OciDeviceRule, IdMappings, OciProcess, OciSeccomp,
} from './oci.js';
import { builtinSeccomp } from './seccomp/builtin.js';
import type { DaemonProfile } from './seccomp/daemon-profile.js';
import { resolveProfile } from './seccomp/profile.js';
import { containerCapabilities } from './spec/capabilities.js';
import {
  allDevices, defaultDeviceRules, defaultDevices, parseDeviceRule,
} from './spec/devices.js';
import { environment } from './spec/environment.js';
import { containerMounts } from './spec/mounts.js';
import { hasOwn, joinedPid, namespaces } from './spec/namespaces.js';
import { systemPaths } from './spec/paths.js';
import {
  blockIoLimits, cpuLimits, memoryLimits, pidsLimit, type DeviceNumbers,
} from './spec/resources.js';
import { rlimits } from './spec/rlimits.js';
import { parseSecurityOptions, type SecurityOptions } from './spec/security-options.js';
import { sysctls } from './spec/sysctls.js';
import type { ResolvedUser } from './spec/user.js';

const OCI_VERSION = '1.2.0';
const DEFAULT_SHM_BYTES = 64 * 1024 * 1024;
/** The key of `config.json`'s annotations by which a bundle tells whose it is. */
const ANNOTATION_ID = 'org.tsdocker.container.id';

/** How the daemon confines containers that say nothing of it. */
export interface SecurityDefaults {
  readonly noNewPrivileges: boolean;
  readonly seccomp: DaemonProfile;
}

/** What was looked up for a request before it is put together. */
export interface SpecInput {
  readonly request: TaskRequest;
  readonly host: HostFacts;
  readonly user: ResolvedUser;
  /** `--device`, and every node of the host for a privileged container. */
  readonly devices: readonly OciDevice[];
  readonly deviceRules: readonly OciDeviceRule[];
  /** Numbers of the block devices that limits name, by path. */
  readonly blockDevices: ReadonlyMap<string, DeviceNumbers>;
  readonly defaultUlimits: readonly Ulimit[];
  readonly security: SecurityDefaults;
  /** What the ids of containers are on the host, unless they are the same. */
  readonly remap?: IdMappings;
  /** Relative to each hierarchy's root. */
  readonly cgroupsPath: string;
}

/** The configuration that is written to the bundle and compiled. Throws `ApiError` 400. */
export function ociConfig(input: SpecInput): OciConfig {
  const { request, host } = input;
  const { hostConfig } = request.record;
  const { noNewPrivileges } = input.security;
  const security = parseSecurityOptions(hostConfig.SecurityOpt ?? [], noNewPrivileges);
  const capabilities = containerCapabilities(
    {
      privileged: hostConfig.Privileged ?? false,
      add: hostConfig.CapAdd ?? [],
      drop: hostConfig.CapDrop ?? [],
    },
    host.capabilities,
  );
  const spaces = namespaces({
    hostConfig, sandbox: request.sandbox, joinPids: request.joinPids,
    cgroupVersion: host.cgroups.version, isRemapped: input.remap !== undefined,
  });
  const remap = spaces.some(({ type }) => type === 'user') ? input.remap : undefined;
  const seccomp = seccompOf(security, capabilities, input);
  return {
    ociVersion: OCI_VERSION,
    process: processOf(input, security, capabilities),
    root: { path: 'rootfs', readonly: hostConfig.ReadonlyRootfs ?? false },
    ...(hasOwn(spaces, 'uts')
      ? { hostname: hostname(request), domainname: domainname(request) }
      : {}),
    mounts: mountsOf(request, security, remap),
    annotations: { ...hostConfig.Annotations, [ANNOTATION_ID]: request.record.id },
    linux: {
      namespaces: spaces,
      ...remap,
      devices: [...defaultDevices, ...input.devices],
      cgroupsPath: input.cgroupsPath,
      resources: resourcesOf(input),
      sysctl: sysctls(hostConfig.Sysctls ?? {}, {
        ipc: hasOwn(spaces, 'ipc'), network: hasOwn(spaces, 'network'), uts: hasOwn(spaces, 'uts'),
        ...lastGid(remap, host),
      }),
      ...systemPaths({
        privileged: hostConfig.Privileged ?? false,
        unconfined: security.systemPathsUnconfined,
        masked: hostConfig.MaskedPaths,
        readonly: hostConfig.ReadonlyPaths,
        thermalThrottle: host.thermalThrottle,
      }),
      ...(seccomp === undefined ? {} : { seccomp }),
    },
  };
}

function lastGid(remap: IdMappings | undefined, host: HostFacts): { lastGid?: number } {
  if (remap !== undefined) return { lastGid: (remap.gidMappings[0]?.size ?? 1) - 1 };
  return host.lastGid === undefined ? {} : { lastGid: host.lastGid };
}

function processOf(
  { request, user, defaultUlimits, host }: SpecInput,
  security: SecurityOptions,
  capabilities: readonly string[],
): OciProcess {
  const { config, hostConfig, path, args } = request.record;
  const tty = config.Tty ?? false;
  const [height = 0, width = 0] = hostConfig.ConsoleSize ?? [];
  const command = [path, ...args];
  return {
    terminal: tty,
    ...(tty && height > 0 && width > 0 ? { consoleSize: { height, width } } : {}),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.groups },
    args: hostConfig.Init === true ? [INIT_PATH, '--', ...command] : command,
    env: environment({
      env: [
        ...(request.sandbox.linkVariables ?? []),
        ...(config.Env ?? []),
        ...(request.hiddenEnv ?? []),
      ],
      hostname: hostname(request), tty, home: user.home,
    }),
    cwd: config.WorkingDir === undefined || config.WorkingDir === '' ? '/' : config.WorkingDir,
    capabilities: {
      bounding: capabilities, effective: capabilities, permitted: capabilities,
      inheritable: [], ambient: [],
    },
    rlimits: rlimits(hostConfig.Ulimits ?? [], defaultUlimits),
    noNewPrivileges: security.noNewPrivileges,
    ...apparmorOf(security, host, hostConfig.Privileged ?? false),
    oomScoreAdj: hostConfig.OomScoreAdj ?? 0,
  };
}

/** Docker passes a profile over where the kernel confines nothing: compose files name them. */
function apparmorOf({ apparmor }: SecurityOptions, host: HostFacts, privileged: boolean) {
  if (!host.apparmor) return {};
  if (apparmor !== undefined) return { apparmorProfile: apparmor };
  const isDefault = !privileged && host.apparmorParser !== undefined;
  return isDefault ? { apparmorProfile: DEFAULT_PROFILE } : {};
}

/** Where `--init` appears inside; our launcher runs its own program under that name. */
export const INIT_PATH = '/sbin/docker-init';

function hostname({ record, sandbox }: TaskRequest): string {
  return sandbox.hostname !== '' ? sandbox.hostname : (record.config.Hostname ?? '');
}

function domainname({ record, sandbox }: TaskRequest): string {
  return sandbox.domainname !== '' ? sandbox.domainname : (record.config.Domainname ?? '');
}

function mountsOf(
  request: TaskRequest,
  security: SecurityOptions,
  remap: IdMappings | undefined,
): OciConfig['mounts'] {
  const { hostConfig } = request.record;
  const ipc = hostConfig.IpcMode ?? '';
  const joined = joinedPid(ipc, request.joinPids);
  return containerMounts({
    remap,
    mounts: request.mounts,
    sandbox: request.sandbox,
    privileged: hostConfig.Privileged ?? false,
    readonlyRootfs: hostConfig.ReadonlyRootfs ?? false,
    writableCgroups: security.writableCgroups,
    shmSizeBytes: (hostConfig.ShmSize ?? 0) > 0 ? (hostConfig.ShmSize ?? 0) : DEFAULT_SHM_BYTES,
    shm:
      joined !== undefined ? { source: `/proc/${joined}/root/dev/shm` }
      : ipc === 'host' ? { source: '/dev/shm' }
      : ipc === 'none' ? 'none'
      : 'own',
  });
}

function resourcesOf(
  { request, deviceRules, blockDevices }: SpecInput,
): OciConfig['linux']['resources'] {
  const { hostConfig } = request.record;
  const memory = memoryLimits(hostConfig);
  const cpu = cpuLimits(hostConfig);
  const pids = pidsLimit(hostConfig);
  const blockIO = blockIoLimits(hostConfig, blockDevices);
  const rules = (hostConfig.DeviceCgroupRules ?? []).map(parseDeviceRule);
  return {
    devices:
      hostConfig.Privileged === true ? allDevices : [
        ...defaultDeviceRules, ...deviceRules, ...rules,
      ],
    ...(memory === undefined ? {} : { memory }),
    ...(cpu === undefined ? {} : { cpu }),
    ...(pids === undefined ? {} : { pids }),
    ...(blockIO === undefined ? {} : { blockIO }),
  };
}

function seccompOf(
  { seccomp: said }: SecurityOptions,
  capabilities: readonly string[],
  { request, host, security }: SpecInput,
): OciSeccomp | undefined {
  const isOwn = typeof said === 'object';
  if (!isOwn && request.record.hostConfig.Privileged === true) return undefined;
  const seccomp = said === 'default' ? security.seccomp : said;
  if (seccomp === 'unconfined') return undefined;
  const target = {
    capabilities: new Set(capabilities),
    architecture: host.architecture,
    kernel: host.kernel,
  };
  return seccomp === 'builtin' ? builtinSeccomp(target) : resolveProfile(seccomp, target);
}
