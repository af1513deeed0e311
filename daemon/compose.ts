/**
 * The wiring diagram: every service is built once, here, by hand, and given what it declared to
 * need (`wiring.ts` holds the plugs). Nothing else in the daemon knows more than one service.
 */
import { hungUp } from '../native/hangup.js';
import type { StorageDriver } from '../storage-drivers/index.js';
import { buildCacheMountTables, buildTables } from './build/index.js';
import type { Builder } from './build/index.js';
import type { DaemonConfig } from './config/config.js';
import { engineVersion } from './config/version.js';
import type { Containers } from './containers/index.js';
import type { DaemonLog } from './daemon-log.js';
import type { Compose, Engine, Fsck } from './engine.js';
import { createEvents } from './events/index.js';
import { createHttpServer } from './http/server.js';
import type { HttpServer } from './http/server.js';
import { imageIndexTables, imageParentColumn, imageTables } from './images/index.js';
import type { Damage, Images } from './images/index.js';
import { openLayout } from './layout.js';
import { keepLean } from './lean.js';
import type { Layout } from './layout.js';
import { listenAll } from './listen.js';
import type { Listeners } from './listen.js';
import { createLogs } from './logs/index.js';
import type { Logs } from './logs/index.js';
import { networkTables } from './networks/index.js';
import type { Networks } from './networks/index.js';
import { openStore } from './store/index.js';
import type { Store } from './store/index.js';
import { baseTables } from './store/schema.js';
import { serverVersion } from './system/index.js';
import { openTrash } from './trash.js';
import type { SystemService } from './system/index.js';
import { volumeTables } from './volumes/index.js';
import type { VolumesService } from './volumes/index.js';
import {
  buildBuilder,
  buildContainers,
  buildImages,
  buildNetworks,
  buildRuntime,
  buildSystem,
  buildVolumes,
  openDriver,
  servicesOf,
} from './wiring.js';
import type { Runtime } from './runtime/index.js';
import type { Base } from './wiring.js';

/** One step per released version of the database; released steps never change. */
const migrations = [
  [baseTables, imageTables, networkTables, volumeTables, buildTables].join('\n'),
  imageIndexTables,
  imageParentColumn,
  buildCacheMountTables,
];

/** All services, in the order in which they are built. */
interface Parts {
  readonly base: Base;
  readonly driver: StorageDriver;
  readonly images: Images;
  readonly volumes: VolumesService;
  readonly networks: Networks;
  readonly containers: Containers;
  readonly builder: Builder;
  readonly system: SystemService;
  readonly logs: Logs;
  readonly runtime: Pick<Runtime, 'close'>;
  readonly closeRegistry: () => Promise<void>;
  readonly closeNetlink: () => Promise<void>;
}

/** Builds the engine; it listens and recovers in `serve`. */
export const compose: Compose = async (config, log) => {
  const layout = openLayout(config.dataRoot, config.execRoot);
  const store = openStore(layout.database, migrations, (reason) =>
    log.warn({ reason }, 'no checkpoint of the database: its log grows'),
  );
  const parts = await buildParts(config, log, { layout, store });
  const http = await createHttpServer(servicesOf(parts), {
    serverVersion: parts.base.version,
    allowedHosts: [],
    hungUp,
    onBug: (error) => log.error({ err: error }, 'unforeseen'),
  });
  return engineOf(parts, http);
};

function engineOf(parts: Parts, http: HttpServer): Engine {
  const { config, log, store } = parts.base;
  let listeners: Listeners | undefined;
  let closed: Promise<void> | undefined;
  const stopBeingLean = keepLean();
  const close = async (): Promise<void> => {
    stopBeingLean();
    parts.builder.close();
    parts.containers.close();
    await Promise.all([listeners?.close() ?? Promise.resolve(), http.close()]);
    await Promise.all([parts.networks.close(), parts.volumes.close(), parts.logs.close()]);
    await parts.runtime.close();
    await Promise.all([parts.closeNetlink(), parts.closeRegistry(), parts.driver.close()]);
    await store.close();
  };
  return {
    async serve() {
      await recover(parts);
      listeners = await listenAll(config, (transport) => http.makeServer(transport), log);
      log.info({ addresses: listeners.addresses }, 'listening');
    },
    close: () => (closed ??= close()),
  };
}

/** What lies lower first: images, layers and volumes, then networks and containers. */
async function recover({
  base,
  driver,
  images,
  volumes,
  containers,
  builder,
}: Parts): Promise<void> {
  const startedMs = Date.now();
  await base.trash.empty();
  const found = await containers.recover();
  const layers = new Set([
    ...images.layerKeys(),
    ...containers.layersInUse(),
    ...builder.layersInUse(),
  ]);
  const removed = [
    ...(await builder.recover()),
    ...(await images.recover()),
    ...(await driver.reconcile({ layers, containers: containers.ids() })),
    ...(await volumes.recover(containers.ids())),
    ...(await base.trash.sweep(base.layout.containers, containers.ids())),
  ];
  base.log.info({ ...found, removed, tookMs: Date.now() - startedMs }, 'recovered');
}

function baseOf(
  config: DaemonConfig,
  log: DaemonLog,
  parts: Pick<Base, 'builder' | 'containers' | 'layout' | 'store'>,
): Base {
  const { layout, store } = parts;
  return {
    ...parts,
    config,
    log,
    version: serverVersion({ engineVersion: engineVersion() }),
    events: createEvents(store, {
      onLost: (error) => log.error({ err: error }, 'events are not in the book'),
    }),
    trash: openTrash(layout.trash, (error) => log.warn({ err: error }, 'a removal failed')),
  };
}

/** `tsdockerd fsck`: images alone, on a data root that no daemon serves. */
export const fsck: Fsck = async (config, log, { repair }) => {
  const layout = openLayout(config.dataRoot, config.execRoot);
  const store = openStore(layout.database, migrations, (reason) =>
    log.warn({ reason }, 'no checkpoint of the database: its log grows'),
  );
  const nobody = (): never => {
    throw new Error('containers and builds take no part in a check');
  };
  const base = baseOf(config, log, { layout, store, containers: nobody, builder: nobody });
  const driver = await openDriver(base);
  const { images, closeRegistry } = await buildImages(base, driver);
  try {
    const damage = await images.check({ repair, signal: new AbortController().signal });
    const [row] = store.rows<{ integrity_check: string }>('PRAGMA integrity_check');
    const database = row?.integrity_check === 'ok' ? [] : [`database: ${row?.integrity_check}`];
    return {
      lines: [...database, ...damage.map(sentence)],
      isLeft: database.length > 0 || damage.some((one) => one.repair !== 'made anew'),
    };
  } finally {
    await closeRegistry();
    await driver.close();
    await store.close();
  }
};

function sentence({ what, name, why, images, repair }: Damage): string {
  const done = repair === 'none' ? '' : `; ${repair}`;
  return `${what} ${name} of ${images.join(', ')}: ${why}${done}`;
}

async function buildParts(
  config: DaemonConfig,
  log: DaemonLog,
  ground: { readonly layout: Layout; readonly store: Store },
): Promise<Parts> {
  const late: { containers?: Containers; builder?: Builder } = {};
  const base = baseOf(config, log, {
    ...ground,
    containers: () => {
      if (late.containers === undefined) throw new Error('containers are not built yet');
      return late.containers;
    },
    builder: () => {
      if (late.builder === undefined) throw new Error('the builder is not built yet');
      return late.builder;
    },
  });
  const { layout } = ground;
  const driver = await openDriver(base);
  const logs = createLogs({
    containersRoot: layout.containers,
    logDriver: config.containers.logDriver,
    logOptions: config.containers.logOptions,
    warn: (error, message) => log.warn({ err: error }, message),
  });
  const { images, closeRegistry } = await buildImages(base, driver);
  const volumes = await buildVolumes(base, driver);
  const runtime = buildRuntime(base, logs);
  const { networks, warnings, closeNetlink } = await buildNetworks(base);
  const containers = buildContainers(base, { driver, images, volumes, networks, runtime, logs });
  late.containers = containers;
  const builder = buildBuilder(base, { driver, images });
  late.builder = builder;
  const system = await buildSystem(base, {
    driver, images, volumes, runtime, containers, builder, warnings,
  });
  return {
    base,
    driver,
    images,
    volumes,
    networks,
    containers,
    builder,
    system,
    logs,
    runtime,
    closeRegistry,
    closeNetlink,
  };
}
