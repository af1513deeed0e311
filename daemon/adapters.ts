/** Small bridges between what one service offers and how another, its caller, wants to see it. */
import type { EventMessage } from '../api-spec/index.js';
import { ErrnoError } from '../native/errno-error.js';
import type { StorageDriver } from '../storage-drivers/driver.js';
import type { Builder } from './build/index.js';
import type { Containers } from './containers/index.js';
import type {
  ImagesNeed,
  LogsNeed,
  RootfsNeed,
} from './containers/needs.js';
import type { Events, StampedEvent } from './events/index.js';
import type { EventsApi, TimedEvent } from './http/needs.js';
import type { Images, ImageUsers } from './images/index.js';
import { lookUpIn } from './layer-paths.js';
import type { Logs } from './logs/index.js';
import type { LayersNeed } from './volumes/index.js';

/** The storage driver as containers see it. */
export function rootfsOf(driver: StorageDriver): RootfsNeed {
  return {
    create: (id, layers) => driver.createContainer(id, layers),
    lookUp: lookUpIn(driver),
    mount: ({ id, layers, hostConfig, ephemeral }) =>
      driver.mount(id, layers, {
        readonly: hostConfig.ReadonlyRootfs === true,
        volatile: hostConfig.AutoRemove === true || ephemeral === true,
      }),
    remove: (id) => driver.removeContainer(id),
    usage: (id) => driver.containerUsage(id),
    changes: ({ id, layers }, ours) => driver.changes(id, layers, { ours }),
    export: ({ id, layers }) => driver.export(id, layers),
  };
}

/** Its layers as volumes see them. */
export function layersOf(driver: StorageDriver): LayersNeed {
  const lookUp = lookUpIn(driver);
  return {
    mount: (layers) => driver.mountLayers(layers),
    has: (layers, path) => {
      try {
        return lookUp(layers, `/${path}`).kind !== 'none';
      } catch (error) {
        if (error instanceof ErrnoError) return false; // Through a file, or round in a circle.
        throw error;
      }
    },
  };
}

/** The images as containers see them. */
export function imagesOf(images: Images): ImagesNeed {
  return {
    resolve: (name) => images.resolve(name),
    byId: (id) => images.byId(id),
    idOf: (name) => images.idOf(name),
    below: (name) => images.below(name),
    sizeBytes: (id) => images.sizeBytes(id),
    changed: (config, changes) => images.changed(config, changes),
    checkTarget: (repo, tag) => images.checkTarget(repo, tag),
    commit: (request) => images.commit(request),
    releaseLayers: (keys) => images.releaseLayers(keys),
  };
}

/** What keeps an image, a layer or a blob from being removed: containers, and the build cache. */
export function imageUsers(containers: () => Containers, builder: () => Builder): ImageUsers {
  return {
    usersOf: (imageId) =>
      containers()
        .users({ imageId })
        .map(({ id, isLive }) => ({ id, running: isLive })),
    layersInUse: () => new Set([...containers().layersInUse(), ...builder().layersInUse()]),
    blobsInUse: (digests) => builder().blobsInUse(digests),
  };
}

/** The logs as containers see them. */
export function logsOf(logs: Logs): LogsNeed {
  return {
    check: (record) => void logs.configure(record.hostConfig.LogConfig),
    path: (record) => logs.path(record),
    read: (record, reading) => logs.read(record, reading),
    attend: (record, task) => logs.attend(record, task),
    update: (record, task) => logs.update(record, task),
    settle: (record) => logs.settle(record),
  };
}

/** Events as the API shows them, with the fields that old clients still read. */
export function eventsApi(events: Events): EventsApi {
  return {
    subscribe: ({ sinceNano, untilNano, filters, signal }) =>
      shown(
        events.watch(
          {
            filters,
            ...(sinceNano === undefined ? {} : { sinceNs: sinceNano }),
            ...(untilNano === undefined ? {} : { untilNs: untilNano }),
          },
          signal,
        ),
      ),
  };
}

async function* shown(watched: AsyncIterable<StampedEvent>): AsyncGenerator<TimedEvent> {
  for await (const event of watched) yield { ...message(event), timeNano: event.timeNs };
}

function message(event: StampedEvent): Omit<EventMessage, 'time' | 'timeNano'> {
  const { type, action, id, attributes } = event;
  const from = attributes['image'];
  const legacy = type === 'container' || type === 'image' ? { status: action, id } : {};
  return {
    ...legacy,
    ...(type === 'container' && from !== undefined ? { from } : {}),
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: attributes },
    scope: 'local',
  };
}
