import { join } from 'node:path';
import type {
  ContainerInspectResponse,
  ContainerState as ShownState,
  EndpointSettings,
  NetworkSettings,
} from '../../api-spec/index.js';
import { lastExitCode } from './container.js';
import type { Container } from './container.js';
import type { Context } from './context.js';
import { shownHealth } from './healthcheck.js';
import { configDefaults, endpointDefaults, hostConfigDefaults } from './inspect-defaults.js';
import { oomKills } from './oom.js';
import type { ContainerRecord } from './record.js';
import { isLive } from './state.js';

/** Docker's way to say "never". */
const zeroTime = '0001-01-01T00:00:00Z';

/** All that there is to know of a container. */
export async function inspectContainer(
  context: Context,
  container: Container,
  { size }: { readonly size: boolean },
): Promise<ContainerInspectResponse> {
  const { record } = container;
  const health = shownHealth(container);
  const execIds = context.execs.openIds(record.id);
  return {
    Id: record.id,
    Created: timeText(record.createdAtMs),
    Path: record.path,
    Args: record.args,
    State: { ...shownState(record), ...(health === undefined ? {} : { Health: health }) },
    Image: record.imageId,
    ...networkFiles(context, container),
    LogPath: hasRun(record) ? context.logs.path(record) : '',
    Name: `/${record.name}`,
    RestartCount: record.restartCount,
    Driver: record.storageDriver,
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: appArmorProfile(context, record),
    ExecIDs: execIds.length === 0 ? null : execIds,
    HostConfig: { ...hostConfigDefaults, ...record.hostConfig, ...shownLinks(record) },
    GraphDriver: { Name: record.storageDriver, Data: null },
    Mounts: record.mounts,
    Config: { ...configDefaults, ...shownConfig(record) },
    NetworkSettings: networkSettings(context, container),
    ...(size ? await sizes(context, record) : {}),
  };
}

/** Where they are, or were in the last run: they stay with the container. */
function networkFiles(context: Context, { record, sandbox }: Container) {
  const isOwn = hasRun(record) && record.hostConfig.NetworkMode?.startsWith('container:') !== true;
  const last = (name: string): string => (isOwn ? join(context.bundlePath(record.id), name) : '');
  return {
    ResolvConfPath: sandbox?.resolvConfPath ?? last('resolv.conf'),
    HostnamePath: sandbox?.hostnamePath ?? last('hostname'),
    HostsPath: sandbox?.hostsPath ?? last('hosts'),
  };
}

/** Links as Docker keeps them: whom, and by which name in this container. */
function shownLinks({ name, hostConfig: { Links: links = [] } }: ContainerRecord) {
  const shown = links.flatMap((link) => {
    const [target = '', alias = target] = link.replace(/^\//, '').split(':');
    const last = alias.split('/').at(-1) ?? '';
    return last === '' ? [] : [`/${target}:/${name}/${last}`];
  });
  return links.length === 0 ? {} : { Links: shown.length === 0 ? null : shown };
}

/** What was asked until it runs, then what confines it: nothing, where the kernel cannot. */
function appArmorProfile({ defaults }: Context, record: ContainerRecord): string {
  if (hasRun(record) && !defaults.apparmor) return '';
  const { SecurityOpt: options, Privileged } = record.hostConfig;
  const given = (options ?? []).map((option) => /^apparmor[=:](.*)$/.exec(option)?.[1]);
  const asked = given.findLast((profile) => profile !== undefined);
  if (asked !== undefined || !hasRun(record)) return asked ?? '';
  return Privileged === true ? 'unconfined' : defaults.apparmorProfile;
}

/** Docker's seven overlapping booleans, derived from the one state. */
export function shownState(record: ContainerRecord): ShownState {
  const { state } = record;
  const { status } = state;
  return {
    Status: status,
    Running: isLive(state) || status === 'restarting',
    Paused: status === 'paused',
    Restarting: status === 'restarting',
    OOMKilled: oomKills(state) > 0 || ('oomKilled' in state && state.oomKilled),
    Dead: status === 'dead',
    Pid: isLive(state) ? state.pid : 0,
    ExitCode: lastExitCode(record),
    Error: errorOf(record),
    StartedAt: 'startedAtMs' in state ? timeText(state.startedAtMs) : zeroTime,
    FinishedAt: 'finishedAtMs' in state ? timeText(state.finishedAtMs) : zeroTime,
  };
}

function errorOf({ state }: ContainerRecord): string {
  if (state.status === 'created') return state.failure?.error ?? '';
  return 'error' in state ? state.error : '';
}

function hasRun({ state }: ContainerRecord): boolean {
  return 'startedAtMs' in state;
}

function timeText(ms: number): string {
  return ms === 0 ? zeroTime : new Date(ms).toISOString();
}

/** Empty lists and maps of the config are null in Docker, labels excepted. */
function shownConfig({ config, imageName, hostConfig, endpoints }: ContainerRecord) {
  const isEmpty = (value: unknown): boolean =>
    typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  const said = Object.entries(config).filter(([key, value]) => key === 'Labels' || !isEmpty(value));
  // A field of old clients; what was asked is the endpoint's.
  const { MacAddress = '' } = endpoints[hostConfig.NetworkMode ?? ''] ?? {};
  return {
    ...Object.fromEntries(said),
    Image: imageName,
    Labels: config.Labels ?? {},
    ...(MacAddress === '' ? {} : { MacAddress }),
  };
}

/**
 * Its endpoints by network, with every field. Of one that has run, the networks keep their ids: by
 * these compose finds whether it still is on the right ones.
 */
export function shownNetworks({ networks }: Context, { record, sandbox }: Container) {
  const endpoints = sandbox?.endpoints ?? record.endpoints;
  const idOf = (name: string): object =>
    sandbox === undefined && hasRun(record) ? { NetworkID: networks.idOf(name) } : {};
  return Object.fromEntries(
    Object.entries(endpoints).map(([name, endpoint]) => [
      name,
      { ...endpointDefaults, ...endpoint, ...idOf(name) },
    ]),
  );
}

function networkSettings(context: Context, container: Container): NetworkSettings {
  const { record, sandbox } = container;
  const networks = shownNetworks(context, container);
  return {
    Bridge: '',
    SandboxID: sandbox?.id ?? '',
    SandboxKey:
      sandbox === undefined || !isLive(record.state) ? '' : `/proc/${record.state.pid}/ns/net`,
    Ports: sandbox?.ports ?? {},
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    ...topLevel(networks['bridge']),
    Networks: networks,
  };
}

/** The default bridge's endpoint at the top level, where old clients look for it. */
function topLevel(bridge: EndpointSettings | undefined) {
  const endpoint = { ...endpointDefaults, ...bridge };
  return {
    EndpointID: endpoint.EndpointID,
    Gateway: endpoint.Gateway,
    GlobalIPv6Address: endpoint.GlobalIPv6Address,
    GlobalIPv6PrefixLen: endpoint.GlobalIPv6PrefixLen,
    IPAddress: endpoint.IPAddress,
    IPPrefixLen: endpoint.IPPrefixLen,
    IPv6Gateway: endpoint.IPv6Gateway,
    MacAddress: endpoint.MacAddress,
  };
}

async function sizes({ rootfs, images }: Context, record: ContainerRecord) {
  const { sizeBytes } = await rootfs.usage(record.id);
  return { SizeRw: sizeBytes, SizeRootFs: sizeBytes + images.sizeBytes(record.imageId) };
}
