/** What a container may not ask of its host, whatever the host is: pure, in Docker's words. */
import { isIP } from 'node:net';
import { invalidParameter } from '../../api-spec/errors.js';
import type { ContainerConfig, HostConfig } from '../../api-spec/index.js';

/** What has to be known for it. */
export interface HostRules {
  /** The runtimes that `Runtime` may name. */
  readonly runtimes: readonly string[];
}

const refuseIf = (wrong: boolean, message: string): void => {
  if (wrong) throw invalidParameter(message);
};

/** Refuses (`ApiError` 400) a host config that is wrong in itself, or does not fit the config. */
export function checkHostConfig(
  config: ContainerConfig,
  hostConfig: HostConfig,
  { runtimes }: HostRules,
): void {
  checkModes(hostConfig);
  checkContainerNetwork(config, hostConfig);
  checkNames(hostConfig);
  checkMounts(hostConfig);
  const { Runtime: runtime = '', Isolation: isolation = '', StorageOpt: storage = {} } = hostConfig;
  refuseIf(
    runtime !== '' && !runtimes.includes(runtime),
    `unknown or invalid runtime name: ${runtime}`,
  );
  refuseIf(
    isolation !== '' && isolation !== 'default',
    `Invalid isolation: "${isolation}" - linux only supports 'default'`,
  );
  const unsupported = 'Invalid QoS settings: linux does not support configuration of maximum ';
  refuseIf((hostConfig.IOMaximumIOps ?? 0) !== 0, `${unsupported}IOPs`);
  refuseIf((hostConfig.IOMaximumBandwidth ?? 0) !== 0, `${unsupported}bandwidth`);
  const unknown = Object.keys(storage).find((key) => key !== 'size');
  refuseIf(unknown !== undefined, `Unknown option ${unknown ?? ''}`);
  refuseIf(
    Object.keys(storage).length > 0,
    "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
  );
  refuseIf(
    Object.hasOwn(hostConfig.Annotations ?? {}, ''),
    'invalid Annotations: the empty string is not permitted as an annotation key',
  );
}

/** What each mode may be besides `container:`; an empty word is the default. */
const modes = {
  CgroupnsMode: { words: ['host', 'private'], called: 'cgroup namespace', joins: false },
  IpcMode: { words: ['host', 'none', 'private', 'shareable'], called: 'IPC', joins: true },
  PidMode: { words: ['host'], called: 'PID', joins: true },
  UTSMode: { words: ['host'], called: 'UTS', joins: false },
} as const;

function checkModes(hostConfig: HostConfig): void {
  for (const [field, { words, called, joins }] of Object.entries(modes)) {
    // The keys are those of the table above, each a field of the host config.
    const mode = hostConfig[field as keyof typeof modes] ?? '';
    const isKnown =
      mode === '' ||
      (words as readonly string[]).includes(mode) ||
      (joins && /^container:./.test(mode));
    refuseIf(!isKnown, `invalid ${called} mode: ${mode}`);
  }
  refuseIf(
    hostConfig.NetworkMode === 'container' || hostConfig.NetworkMode === 'container:',
    'Invalid network mode: invalid container format container:<name|id>',
  );
}

/** Who joins another's network has no network settings of its own. */
function checkContainerNetwork(config: ContainerConfig, hostConfig: HostConfig): void {
  const { NetworkMode: mode = '', Links: links = [], UTSMode: uts } = hostConfig;
  const clash = (wrong: boolean, what: string): void => {
    refuseIf(wrong, `conflicting options: ${what}`);
  };
  const hasHostname = (config.Hostname ?? '') !== '';
  const links2 = "can't be used with links. This would result in undefined behavior";
  clash(uts === 'host' && hasHostname, 'hostname and the UTS mode');
  clash(mode === 'host' && links.length > 0, `host type networking ${links2}`);
  if (!mode.startsWith('container:')) return;
  const publishes = hostConfig.PublishAllPorts === true || size(hostConfig.PortBindings) > 0;
  clash(hasHostname, 'hostname and the network mode');
  clash(links.length > 0, `container type network ${links2}`);
  clash((hostConfig.Dns ?? []).length > 0, 'dns and the network mode');
  clash(
    (hostConfig.ExtraHosts ?? []).length > 0,
    'custom host-to-IP mapping and the network mode',
  );
  clash(publishes, 'port publishing and the container type network mode');
  clash(size(config.ExposedPorts) > 0, 'port exposing and the container type network mode');
}

const size = (map: object | undefined): number => Object.keys(map ?? {}).length;

function checkNames({ Dns = [], ExtraHosts: hosts = [] }: HostConfig): void {
  const server = Dns.find((address) => isIP(address) === 0);
  refuseIf(
    server !== undefined,
    `bad nameserver address ${server ?? ''}: ParseAddr(${JSON.stringify(server)}): ` +
      'unable to parse IP',
  );
  for (const entry of hosts) {
    const [, name = '', address] = /^([^:=]*)[:=](.*)$/.exec(entry) ?? [];
    refuseIf(address === undefined || name === '', `bad format for add-host: "${entry}"`);
    const bare = (address ?? '').replace(/^\[(.*)\]$/, '$1');
    refuseIf(
      bare !== 'host-gateway' && isIP(bare) === 0,
      `invalid IP address in add-host: "${address ?? ''}"`,
    );
  }
}

/** Options of read-only binds that say nothing, or contradict each other. */
function checkMounts({ Mounts: mounts = [] }: HostConfig): void {
  for (const { ReadOnly: readOnly = false, BindOptions: options = {} } of mounts) {
    const { ReadOnlyNonRecursive: shallow = false, ReadOnlyForceRecursive: deep = false } = options;
    const clash = 'mount options conflict: ';
    refuseIf(shallow && !readOnly, `${clash}!ReadOnly && BindOptions.ReadOnlyNonRecursive`);
    refuseIf(deep && !readOnly, `${clash}!ReadOnly && BindOptions.ReadOnlyForceRecursive`);
    refuseIf(
      shallow && deep,
      `${clash}ReadOnlyNonRecursive && BindOptions.ReadOnlyForceRecursive`,
    );
    const propagation = options.Propagation ?? '';
    refuseIf(
      deep && propagation !== '' && propagation !== 'rprivate',
      `${clash}ReadOnlyForceRecursive && BindOptions.Propagation != rprivate`,
    );
  }
}
