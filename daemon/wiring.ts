/** The plugs of the wiring diagram: how each service is built out of what the others offer. */
import { availableParallelism } from 'node:os';
import { openNetlink } from '../native/netlink/index.js';
import {
  fetchFromContainer,
  putIntoContainer,
  statInContainer,
  removeTree,
  syncTrees,
  treeUsage,
  unpackLayer,
} from '../native/unpack/index.js';
import { createBridgePlugin } from '../netplugins/bridge/index.js';
import { createHostPlugin } from '../netplugins/host/index.js';
import { createNonePlugin } from '../netplugins/none/index.js';
import { chooseStorageDriver, createStorageDriver } from '../storage-drivers/index.js';
import type { StorageDriver } from '../storage-drivers/index.js';
import { eventsApi, imageUsers, imagesOf, layersOf, logsOf, rootfsOf } from './adapters.js';
import { buildContainersOf, unpackForBuild } from './build-adapters.js';
import { createBuilder, healthOfText } from './build/index.js';
import type { Builder } from './build/index.js';
import type { DaemonConfig } from './config/config.js';
import { engineVersion } from './config/version.js';
import { createContainers } from './containers/index.js';
import { parseSignal } from './containers/signals.js';
import type { Containers } from './containers/index.js';
import { openContent } from './content/index.js';
import type { DaemonLog } from './daemon-log.js';
import type { Events } from './events/index.js';
import type { Services } from './http/needs.js';
import { createImages } from './images/index.js';
import { createUnsynced } from './images/unsynced.js';
import { createSlots } from './images/exclusive.js';
import type { Images } from './images/index.js';
import { makeFoldersIn } from './layer-paths.js';
import type { Layout } from './layout.js';
import { logDrivers } from './logs/index.js';
import type { Logs } from './logs/index.js';
import { defaultPoolRanges, openNetworks, socketsOfShim } from './networks/index.js';
import type { Networks } from './networks/index.js';
import { createRegistry } from './registry/index.js';
import { DEFAULT_PROFILE } from './runtime/apparmor.js';
import { readCdiDevices } from './runtime/cdi/registry.js';
import { isWithout } from './runtime/cgroup/index.js';
import { requireSystemd } from './runtime/cgroup/scope.js';
import { createRuntime, makeBundle } from './runtime/index.js';
import type { Runtime } from './runtime/index.js';
import { readDefaultProfile } from './runtime/seccomp/daemon-profile.js';
import { resolveUser } from './runtime/spec/user.js';
import { systemPaths } from './runtime/spec/paths.js';
import type { Store } from './store/index.js';
import { createSystem, engineId } from './system/index.js';
import type { SystemService } from './system/index.js';
import type { Trash } from './trash.js';
import { createVolumes } from './volumes/index.js';
import type { VolumesService } from './volumes/index.js';

/** What a slow attach client may cost: disk, then patience. */
const attachLimits = { spillBytes: 64 * 2 ** 20, stallMs: 60_000 };
/** How long a registry may take to answer a login. */
const loginTimeoutMs = 60_000;

/** What all of them have in common. */
export interface Base {
  readonly config: DaemonConfig;
  readonly log: DaemonLog;
  readonly layout: Layout;
  readonly store: Store;
  readonly events: Events;
  readonly trash: Trash;
  /** As `version` shows it. */
  readonly version: string;
  /** Containers are built last, and others ask them: by the time they do, they are there. */
  readonly containers: () => Containers;
  readonly builder: () => Builder;
}

/** The driver that was asked for, or the best that works on the data root. */
export function openDriver({ config, layout, log }: Base): Promise<StorageDriver> {
  return config.storageDriver === undefined
    ? chooseStorageDriver(layout.storage, (message) => log.warn(message))
    : createStorageDriver(config.storageDriver, layout.storage);
}

/** Images with their store and registries; `closeRegistry` gives idle connections up. */
export async function buildImages(
  base: Base,
  driver: StorageDriver,
): Promise<{ readonly images: Images; readonly closeRegistry: () => Promise<void> }> {
  const { config, layout, store, events, version } = base;
  const registry = createRegistry({
    mirrors: config.registryMirrors,
    insecureRegistries: config.insecureRegistries,
    userAgent: `docker/${version}`,
  });
  const images = createImages({
    dataRoot: layout.dataRoot,
    store,
    events,
    driver,
    version,
    content: await openContent(layout.dataRoot),
    registry,
    unpack: unpackLayer,
    unsynced: createUnsynced((paths) => syncTrees(layout.dataRoot, paths)),
    users: imageUsers(base.containers, base.builder),
    healthOf: healthOfText,
    maxConcurrentDownloads: config.maxConcurrentDownloads,
    maxDownloadAttempts: config.maxDownloadAttempts,
  });
  return { images, closeRegistry: () => registry.close() };
}

/** The runtime, with log settings and limits of the daemon's configuration. */
export function buildRuntime({ config, layout, log }: Base, logs: Logs): Runtime {
  if (config.cgroupDriver === 'systemd') requireSystemd();
  return createRuntime({
    dataRoot: layout.dataRoot,
    execRoot: layout.execRoot,
    rootId: layout.rootId,
    cgroupDriver: config.cgroupDriver,
    cpuRealtime: config.cpuRealtime,
    defaultUlimits: Object.values(config.containers.ulimits),
    security: {
      noNewPrivileges: config.containers.noNewPrivileges,
      seccomp: readDefaultProfile(config.containers.seccompProfile),
    },
    cdiSpecDirs: config.cdiSpecDirs,
    ...(config.remap === undefined ? {} : { remap: config.remap }),
    runtimes: config.runtimes,
    ...(config.outside === undefined ? {} : { held: [{ fd: config.outside.aliveFd }] }),
    log: (record) => logs.settings(record),
    attach: { ...attachLimits, spillDir: layout.temporary },
    warn: (message, cause) => log.warn({ cause }, message),
  });
}

/** Networks, and what belongs to them. */
export interface NetworkParts {
  readonly networks: Networks;
  /** What keeps them from working as they should, for `info`. */
  readonly warnings: () => readonly string[];
  readonly closeNetlink: () => Promise<void>;
}

/** Networks with the plugins there are; opens netlink, which `closeNetlink` closes. */
export async function buildNetworks(
  base: Base,
): Promise<NetworkParts> {
  const { config, layout, log, store, events } = base;
  const { network } = config;
  const netlink = openNetlink();
  const warn = (message: string): void => log.warn(message);
  const { bridge, bip, fixedCidr, defaultGateway } = network;
  let problems: readonly string[] = [];
  const networks = await openNetworks({
    store,
    netlink,
    rootId: layout.rootId,
    plugins: [
      createBridgePlugin({
        rootId: layout.rootId,
        netlink,
        warn,
        report: (found) => (problems = found),
        setsForwarding: network.ipForward,
      }),
      createHostPlugin(),
      createNonePlugin(),
    ],
    containers: {
      find: (ref) => base.containers().find(ref),
      inTurn: (id, work) => base.containers().inTurn(id, work),
      setEndpoints: (id, endpoints) => base.containers().setEndpoints(id, endpoints),
    },
    events,
    warn,
    bundlePath: (id) => layout.bundle(id),
    // A network belongs to the user namespace that it was made in.
    makesAhead: config.remap === undefined,
    ...(config.outside === undefined ? {} : { sockets: socketsOfShim(config.outside.socket) }),
    settings: {
      pools:
        network.addressPools.length === 0
          ? defaultPoolRanges
          : network.addressPools.map(({ base: range, size }) => ({ base: range, prefix: size })),
      mtu: network.mtu,
      dns: { servers: network.dns, search: network.dnsSearch, options: network.dnsOptions },
      hostGatewayIp: network.hostGatewayIps[0] ?? '',
      hostResolvConfPath: '/etc/resolv.conf',
      defaultOptions: network.defaultNetworkOptions,
    },
    defaultBridge: {
      icc: network.icc,
      masquerade: network.ipMasq,
      hostBinding: network.ip,
      ...(bridge === undefined ? {} : { bridge }),
      ...(bip === undefined ? {} : { bip }),
      ...(fixedCidr === undefined ? {} : { fixedCidr }),
      ...(defaultGateway === undefined ? {} : { defaultGateway }),
    },
  });
  return { networks, warnings: () => problems, closeNetlink: () => netlink.close() };
}

/** What containers are built on. */
export interface ContainerParts {
  readonly driver: StorageDriver;
  readonly images: Images;
  readonly volumes: VolumesService;
  readonly networks: Networks;
  readonly runtime: Runtime;
  readonly logs: Logs;
}

/** Containers on all the others; recovery is a call of its own. */
export function buildContainers(base: Base, parts: ContainerParts): Containers {
  const { config, layout, log, store, events } = base;
  const { containers: given } = config;
  const { host, cgroupVersion } = parts.runtime;
  return createContainers({
    store,
    events,
    images: imagesOf(parts.images),
    rootfs: rootfsOf(parts.driver),
    files: {
      stat: statInContainer, fetch: fetchFromContainer, put: putIntoContainer,
      makeFolders: makeFoldersIn,
    },
    volumes: parts.volumes,
    networks: parts.networks,
    runtime: parts.runtime,
    logs: logsOf(parts.logs),
    log,
    bundlePath: (id) => layout.bundle(id),
    makeBundle: (id) => makeBundle(layout.bundle(id)),
    discardBundle: (id) => base.trash.take(layout.bundle(id)),
    defaults: {
      logDriver: given.logDriver,
      logOptions: given.logOptions,
      storageDriver: parts.driver.name,
      cgroupnsMode: given.cgroupnsMode ?? (cgroupVersion === 2 ? 'private' : 'host'),
      ipcMode: given.ipcMode,
      ...(given.cgroupParent === undefined ? {} : { cgroupParent: given.cgroupParent }),
      runtime: defaultRuntime(config),
      runtimes: Object.keys(config.runtimes),
      shmSizeBytes: given.shmSizeBytes,
      init: given.init,
      apparmor: host.apparmor,
      apparmorProfile: host.apparmorParser === undefined ? '' : DEFAULT_PROFILE,
      ...systemPaths({
        privileged: false,
        unconfined: false,
        masked: undefined,
        readonly: undefined,
        thermalThrottle: host.thermalThrottle,
      }),
    },
  });
}

/** `runc` is what clients send when they mean "the ordinary one". */
function defaultRuntime(config: DaemonConfig): string {
  return config.defaultRuntime ?? 'runc';
}

/** Steps that work at once, over all builds. */
/** A few kilobytes each. */
const maxBuildRecords = 20_000;
const buildSlots = Math.max(2, availableParallelism());

/** Builds, on images, containers and layers. */
export function buildBuilder(
  { config, layout, log, store, version, containers }: Base,
  { driver, images }: { readonly driver: StorageDriver; readonly images: Images },
): Builder {
  return createBuilder({
    store,
    images: images.forBuilds,
    containers: buildContainersOf(containers, driver),
    layerFolders: (keys) => driver.layerFolders(keys),
    resolveOwner: (user, files) => resolveUser({ user, groupAdd: [] }, files),
    checkSignal: (name) => void parseSignal(name),
    unpack: unpackForBuild,
    removeTree,
    treeBytes: async (path) => (await treeUsage(path)).sizeBytes,
    folder: layout.build,
    secretFolder: layout.secrets,
    version,
    nowMs: Date.now,
    warn: (message, cause) => log.warn({ cause }, message),
    slots: createSlots(buildSlots),
    bounds: {
      maxBytes: config.buildCacheBytes,
      policies: config.buildCachePolicies,
      maxRecords: maxBuildRecords,
    },
    isShared: (key) => images.isLayerUsed(key),
    collect: (things) => images.collect(things),
  });
}

interface SystemParts {
  readonly driver: StorageDriver;
  readonly images: Images;
  readonly volumes: VolumesService;
  readonly runtime: Runtime;
  readonly containers: Containers;
  readonly builder: Builder;
  readonly warnings: () => readonly string[];
}

/** The engine's answers about itself; gives it an id that lasts, if it has none. */
export async function buildSystem(base: Base, parts: SystemParts): Promise<SystemService> {
  const { config, layout, store } = base;
  const { driver, images, volumes, runtime, containers, builder, warnings } = parts;
  const facts = {
    build: { engineVersion: engineVersion(), architecture: runtime.host.architecture },
    host: runtime.host,
    engineId: await engineId(store),
    dataRoot: layout.dataRoot,
    labels: config.labels,
    logDriver: config.containers.logDriver,
    logDrivers: logDrivers.filter((name) => name !== 'none'),
    storageDriver: driver.name,
    driverStatus: () => driver.status(),
    defaultRuntime: defaultRuntime(config),
    runtimes: config.runtimes,
    registryMirrors: config.registryMirrors,
    insecureRegistries: config.insecureRegistries,
    addressPools: config.network.addressPools,
    noNewPrivileges: config.containers.noNewPrivileges,
    seccompProfile: config.containers.seccompProfile,
    debug: config.debug,
    isRemapped: config.remap !== undefined,
    isRootless: config.isRootless,
    cgroupDriver: isWithout(runtime.host.cgroups) ? ('none' as const) : config.cgroupDriver,
    networkDrivers: ['bridge', 'host', 'null'],
    cdiSpecDirs: config.cdiSpecDirs,
    cdiDevices: () => [...readCdiDevices(config.cdiSpecDirs).devices.keys()].sort(),
  };
  return createSystem(facts, {
    counts: () => ({ ...containers.counts(), images: images.count() }),
    login: (auth) => images.auth(auth, AbortSignal.timeout(loginTimeoutMs)),
    containers: () => containers.list({ all: true, limit: 0, size: true, filters: {} }),
    images: async () =>
      (await images.list({ filters: {}, sharedSize: true })).map((image) => ({
        ...image, Containers: containers.users({ imageId: image.Id }).length,
      })),
    volumes: () => volumes.usage(),
    layersSizeBytes: () => images.layersSizeBytes(),
    buildCache: () => builder.usage(),
    warnings,
  });
}

/** The services as the HTTP layer, their caller, wants to see them. */
export function servicesOf(parts: {
  readonly base: Base;
  readonly images: Images;
  readonly volumes: VolumesService;
  readonly networks: Networks;
  readonly containers: Containers;
  readonly system: SystemService;
  readonly builder: Builder;
}): Services {
  const { base, images, volumes, networks, containers, system, builder } = parts;
  return {
    containers,
    images,
    builder,
    volumes,
    networks: {
      list: (filters) => networks.list(filters),
      inspect: (ref, options) => networks.inspect(ref, options),
      create: (body) => networks.create(body),
      remove: (ref) => networks.remove(ref),
      connect: (ref, body) => networks.attach(ref, body),
      disconnect: (ref, body) => networks.detach(ref, body),
      prune: (filters) => networks.prune(filters),
    },
    system,
    events: eventsApi(base.events),
  };
}

/** Volumes below the data root. */
export function buildVolumes(
  { layout, store, events }: Base,
  driver: StorageDriver,
): Promise<VolumesService> {
  return createVolumes({ root: layout.volumes, store, events, layers: layersOf(driver) });
}
