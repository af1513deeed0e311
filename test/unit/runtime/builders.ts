/** Requests and hosts of the shape that a test is about; everything else is ordinary. */
import type { ContainerConfig, HostConfig } from '../../../api-spec/index.js';
import type { ResolvedMount, Sandbox } from '../../../daemon/containers/needs.js';
import { compileLaunch, type LaunchPlan } from '../../../daemon/runtime/compile.js';
import type { HostFacts } from '../../../daemon/runtime/host-facts.js';
import type { OciConfig } from '../../../daemon/runtime/oci.js';
import { ociConfig, type SecurityDefaults } from '../../../daemon/runtime/spec.js';
import { capabilityNames } from '../../../daemon/runtime/spec/capabilities.js';
import type { LaunchProgram, Step } from '../../../native/launch/opcodes.js';

export const hostFacts: HostFacts = {
  cgroups: { version: 2, mount: '/sys/fs/cgroup' },
  capabilities: new Set(capabilityNames),
  kernel: { major: 6, minor: 12 },
  architecture: 'amd64',
  thermalThrottle: [],
  apparmor: false,
  memoryNodes: '0',
  cpus: 4,
  hasKcore: true,
  hasRealtime: false,
  isConfined: false,
};

export interface ConfigOptions {
  readonly config?: ContainerConfig;
  readonly host?: HostConfig;
  readonly sandbox?: Partial<Sandbox>;
  readonly mounts?: readonly ResolvedMount[];
  readonly joinPids?: Readonly<Record<string, number>>;
  readonly facts?: Partial<HostFacts>;
  readonly uid?: number;
  readonly security?: Partial<SecurityDefaults>;
}

const id = 'c'.repeat(64);

export function configOf(options: ConfigOptions = {}): OciConfig {
  const uid = options.uid ?? 0;
  return ociConfig({
    request: {
      record: {
        id, name: 'n', createdAtMs: 0, imageId: 'sha256:0', imageName: 'i', layers: [],
        config: options.config ?? {}, hostConfig: options.host ?? {}, path: 'prog', args: ['arg'],
        storageDriver: 'vfs', mounts: [], endpoints: {}, restartCount: 0, stoppedByUser: false,
        state: { status: 'created' },
      },
      image: { id: 'sha256:0', config: {}, layers: [], os: 'linux', architecture: 'amd64' },
      rootfs: { kind: 'bind', source: '/image' },
      mounts: options.mounts ?? [],
      sandbox: {
        id, kind: 'isolated', hostsPath: '/b/hosts', resolvConfPath: '/b/resolv.conf',
        hostnamePath: '/b/hostname', hostname: 'box', domainname: '', endpoints: {}, ports: {},
        reservations: [], ...options.sandbox,
      },
      joinPids: options.joinPids ?? {},
      onCreated: async () => undefined,
      signal: new AbortController().signal,
    },
    host: { ...hostFacts, ...options.facts },
    user: { uid, gid: uid, groups: [uid], home: '/' },
    devices: [], deviceRules: [], blockDevices: new Map(), defaultUlimits: [],
    security: { noNewPrivileges: false, seccomp: 'builtin', ...options.security },
    cgroupsPath: `/tsdocker-x/${id}`,
  });
}

export function programOf(
  options: ConfigOptions = {},
  plan: Partial<LaunchPlan> = {},
): LaunchProgram {
  return compileLaunch(configOf(options), planOf(plan)).program;
}

export function planOf(changes: Partial<LaunchPlan> = {}): LaunchPlan {
  return {
    containerId: id, bundle: '/bundle', rootfs: { kind: 'bind', source: '/image' },
    cgroup: { kind: 'clone', folder: '/sys/fs/cgroup/x' },
    seccomp: { filter: Buffer.alloc(8), flags: 4 }, stdin: false,
    stdinOnce: false, hasKcore: false, isConfined: false, ...changes,
  };
}

/** `op about`, for reading an order. */
export function outline(steps: readonly Step[]): string[] {
  return steps.map((step) => (step.about === undefined ? step.op : `${step.op} ${step.about}`));
}

/** Where the first step of this outline stands; throws when there is none. */
export function position(steps: readonly Step[], wanted: string): number {
  const at = outline(steps).findIndex((line) => line.startsWith(wanted));
  if (at < 0) throw new Error(`no step is ${wanted}`);
  return at;
}
