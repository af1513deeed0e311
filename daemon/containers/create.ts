import { hostname as osHostname } from 'node:os';
import { ApiError, invalidParameter } from '../../api-spec/errors.js';
import type {
  ContainerConfig,
  ContainerCreateBody,
  ContainerCreateResponse,
  EndpointSettings,
  HostConfig,
} from '../../api-spec/index.js';
import { Container } from './container.js';
import { containerEvent, forget, save } from './context.js';
import type { Context } from './context.js';
import { checkEndpointCount, endpointsOf } from './endpoints.js';
import { failuresOf } from './failures.js';
import { completeHostConfig } from './host-config.js';
import { isInheritedMode } from './inherited-mode.js';
import { mergeImageConfig } from './merge-image.js';
import { generateName } from './names.js';
import { ownRuntimes } from '../own-runtimes.js';
import { randomId } from '../random-id.js';
import type { ContainerImage } from './needs.js';
import { checkPlatform } from './platform.js';
import type { ContainerRecord, MountedImage } from './record.js';
import { checkConfig, checkName } from './validate.js';
import { checkHostConfig } from './validate-host.js';
import { makeFolders, missingFolders } from './working-directory.js';

/** `Healthcheck.StartInterval` came with API 1.44. */
const startIntervalMinor = 44;
const imageMountsMinor = 48;

/**
 * A create as it arrived; `apiMinor` is the `n` of the API version 1.n, which decides how old
 * clients are read.
 */
export interface CreateRequest {
  /** With or without a slash in front. */
  readonly name?: string;
  readonly platform?: string;
  readonly body: ContainerCreateBody;
  readonly apiMinor: number;
  /** What it stands on, where that is no registered image. */
  readonly image?: ContainerImage;
  /** See `ContainerRecord`. */
  readonly ephemeral?: boolean;
  /** Variables, each `NAME=value`, that only the process sees: no record and no file has them. */
  readonly hiddenEnv?: readonly string[];
}

/**
 * Makes a container: everything is refused before anything is made, and what was made goes again if
 * a later part fails. Durable when it returns.
 */
export async function createContainer(
  context: Context,
  request: CreateRequest,
): Promise<ContainerCreateResponse> {
  const { HostConfig: hostConfig = {}, NetworkingConfig: networking, ...asked } = request.body;
  const user = readAsThen(asked, request.apiMinor);
  if (Object.keys(request.body).length === 0) {
    throw invalidParameter('config cannot be empty in order to create a container');
  }
  const name = request.name?.replace(/^\//, '');
  if (name !== undefined) checkName(name, { given: request.name ?? name });
  checkConfig(user, hostConfig);
  checkEndpointCount(networking?.EndpointsConfig ?? {}, request.apiMinor);
  checkHostConfig(user, hostConfig, { runtimes: runtimesOf(context) });
  checkMountTypes(hostConfig, request.apiMinor);
  const image = request.image ?? context.images.resolve(user.Image ?? '', request.platform);
  checkPlatform(image, user.Image ?? '', request.platform);
  const id = newId((taken) => context.book.get(taken) !== undefined);
  const draft = draftRecord(context, {
    id,
    image,
    user,
    hostConfig,
    endpoints: networking?.EndpointsConfig ?? {},
    ...(name === undefined ? {} : { name }),
    ...(request.ephemeral === undefined ? {} : { ephemeral: request.ephemeral }),
  });
  const warnings = context.runtime.check(draft);
  context.logs.check(draft);
  context.networks.check(draft);
  const folders = draft.ephemeral === true ? [] : missingFolders(context, draft);
  context.book.addDraft(draft);
  try {
    const container = await make(context, draft, folders);
    container.hiddenEnv = request.hiddenEnv ?? [];
  } finally {
    context.book.dropDraft(draft);
  }
  return { Id: id, Warnings: [...warnings, ...advice(user, hostConfig, request.apiMinor)] };
}

/** What is of another system, or what newer clients are asked to say elsewhere. */
function advice(
  { MacAddress = '' }: ContainerConfig,
  { CpuPercent = 0, NetworkMode: mode, PortBindings: ports = {} }: HostConfig,
  apiMinor: number,
): readonly string[] {
  const list: string[] = [];
  if (CpuPercent > 0) list.push('linux does not support CPU percent. Percent discarded.');
  if (mode === 'host' && Object.keys(ports).length > 0) {
    list.push('Published ports are discarded when using host network mode');
  }
  if (MacAddress !== '' && apiMinor >= startIntervalMinor) {
    list.push(
      'The container-wide MacAddress field is now deprecated. ' +
        'It should be specified in EndpointsConfig instead.',
    );
  }
  return list;
}

/** What an old client cannot have meant: it did not know the field. */
function readAsThen(user: ContainerConfig, apiMinor: number): ContainerConfig {
  const { Healthcheck: health } = user;
  if (apiMinor >= startIntervalMinor || health?.StartInterval === undefined) return user;
  return { ...user, Healthcheck: { ...health, StartInterval: 0 } };
}

/** Image mounts came with API 1.48: an engine of an older one knows no such type. */
function checkMountTypes({ Mounts: mounts = [] }: HostConfig, apiMinor: number): void {
  if (apiMinor >= imageMountsMinor || !mounts.some(({ Type }) => Type === 'image')) return;
  throw invalidParameter('invalid mount config for type "image": mount type unknown');
}

/**
 * Volumes, then the record, and folders and the writable layer while its sync is waited for; undone
 * in reverse. What a crash leaves unmade is made by who needs it, as after a power cut.
 */
async function make(
  context: Context,
  draft: ContainerRecord,
  folders: readonly string[],
): Promise<Container> {
  const { id } = draft;
  const undo: (() => Promise<unknown>)[] = [];
  try {
    undo.unshift(() => context.volumes.release(id, { removeAnonymous: true }));
    const mounts = await context.volumes.prepare(id, {
      hostConfig: draft.hostConfig,
      config: draft.config,
      mounts: draft.hostConfig.Mounts ?? [],
      from: volumesFrom(context, draft.hostConfig),
    });
    const container = new Container({ ...draft, mounts });
    await save(context, container, container.record, {
      // Nobody is told of a container that the next start of the daemon removes.
      durability: draft.ephemeral === true ? 'normal' : 'full',
      events: [containerEvent(container.record, 'create')],
      meanwhile: async () => {
        undo.unshift(() => forgetUntold(context, container.record));
        undo.unshift(() => context.discardBundle(id));
        context.makeBundle(id);
        undo.unshift(() => context.rootfs.remove(id));
        await context.rootfs.create(id, draft.layers);
        await makeFolders(context, draft, folders);
        context.networks.expectStart(container.record);
      },
    });
    context.book.add(container);
    return container;
  } catch (error) {
    const results = await Promise.allSettled(undo.map((step) => step()));
    const failed = failuresOf(results);
    if (failed.length > 0)
      context.log.error({ id, failed }, 'a failed create left something behind');
    throw error;
  }
}

/** One that was recorded, and whose folders could not be made: it has come and gone. */
async function forgetUntold(context: Context, record: ContainerRecord): Promise<void> {
  const isRecorded = context.store.rows('SELECT 1 FROM containers WHERE id = ?', record.id);
  if (isRecorded.length === 0) return;
  const { statements } = context.events.stamp(containerEvent(record, 'destroy'));
  await context.store.commit([forget(record.id), ...statements], 'normal');
}

interface Draft {
  readonly id: string;
  readonly name?: string;
  readonly ephemeral?: boolean;
  readonly image: ContainerImage;
  readonly user: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly endpoints: Readonly<Record<string, EndpointSettings>>;
}

function draftRecord(context: Context, draft: Draft): ContainerRecord {
  const { id, image, user } = draft;
  const config = mergeImageConfig(user, image.config);
  const hostConfig = withIds(context, completeHostConfig(context.defaults, draft.hostConfig));
  const [path = '', ...args] = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  return {
    id,
    name: draft.name ?? generateName((name) => context.book.isTaken(name)),
    createdAtMs: Date.now(),
    imageId: image.id,
    imageName: user.Image ?? image.id,
    layers: image.layers,
    config: { ...config, Hostname: hostname(id, config, hostConfig) },
    hostConfig,
    path,
    args,
    storageDriver: context.defaults.storageDriver,
    mounts: [],
    ...takenMounts(context, draft.hostConfig),
    endpoints: endpointsOf(hostConfig, user, {
      asked: draft.endpoints, nameOf: (ref) => context.networks.nameOf(ref),
    }),
    restartCount: 0,
    stoppedByUser: false,
    ...(draft.ephemeral === undefined ? {} : { ephemeral: draft.ephemeral }),
    state: { status: 'created' },
  };
}

/** Its own and those of containers whose volumes it takes: the last to name a place wins. */
function takenMounts(
  context: Context,
  hostConfig: HostConfig,
): Pick<ContainerRecord, 'imageMounts' | 'subpaths'> {
  const others = volumesFrom(context, hostConfig);
  const own = context.volumes
    .images(hostConfig)
    .map(({ reference, destination }): [string, MountedImage] => {
      const { id, layers } = context.images.resolve(reference);
      return [destination, { id, layers }];
    });
  const images = [...others.flatMap((other) => Object.entries(other.images)), ...own];
  const parts = [...others.map(({ subpaths }) => subpaths), context.volumes.subpaths(hostConfig)]
    .flatMap((each) => Object.entries(each));
  const subpaths = [...new Map(parts)].filter(([, subpath]) => subpath !== '');
  return {
    ...(images.length === 0 ? {} : { imageMounts: Object.fromEntries(images) }),
    ...(subpaths.length === 0 ? {} : { subpaths: Object.fromEntries(subpaths) }),
  };
}

/** `container:` modes by id, so that a renamed container is still the one that was meant. */
function withIds({ book }: Context, hostConfig: HostConfig): HostConfig {
  // Not a 404: the client would take that for a missing image.
  const find = (ref: string): Container => {
    try {
      return book.resolve(ref);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      throw new ApiError('InvalidParameter', error.message, { cause: error });
    }
  };
  const donor = /^container:(.*)/.exec(hostConfig.IpcMode ?? '')?.[1];
  if (donor !== undefined) checkDonor(find(donor));
  const byId = (mode: string | undefined): string | undefined => {
    if (mode?.startsWith('container:') !== true) return mode;
    return `container:${find(mode.slice('container:'.length)).id}`;
  };
  const modes = {
    NetworkMode: hostConfig.NetworkMode,
    PidMode: hostConfig.PidMode,
    IpcMode: hostConfig.IpcMode,
  };
  const resolved = Object.entries(modes).flatMap(([field, mode]) => {
    const id = byId(mode);
    return id === undefined ? [] : [[field, id] as const];
  });
  return { ...hostConfig, ...Object.fromEntries(resolved) };
}

/** `ApiError` 400 unless this container's IPC namespace may be joined. */
function checkDonor({ id, record }: Container): void {
  const { IpcMode: mode = '' } = record.hostConfig;
  if (mode === 'shareable' || mode === 'host' || mode.startsWith('container:')) return;
  throw invalidParameter(
    `failed to join IPC namespace: container ${id}: non-shareable IPC ` +
      '(hint: use IpcMode:shareable for the donor container)',
  );
}

/** Docker names a container by the start of its id, unless its network is the host's. */
function hostname(id: string, config: ContainerConfig, { NetworkMode }: HostConfig): string {
  if (config.Hostname !== undefined && config.Hostname !== '') return config.Hostname;
  return NetworkMode === 'host' ? osHostname() : id.slice(0, 12);
}

/** One that the body names: that it is not there is an error of the body. */
function named(book: Context['book'], ref: string): Container {
  try {
    return book.resolve(ref);
  } catch (error) {
    if (error instanceof ApiError) throw invalidParameter(error.message, error);
    throw error;
  }
}

/** `name[:mode]` of `VolumesFrom` → what those containers mount. */
function volumesFrom({ book, volumes }: Context, { VolumesFrom: from = [] }: HostConfig) {
  return from.map((entry) => {
    const [, ref = '', mode = 'rw'] = /^([^:]*)(?::(.*))?$/.exec(entry) ?? [];
    if (ref === '') throw invalidParameter('volumes-from specification cannot be an empty string');
    if (!isInheritedMode(mode)) throw invalidParameter(`invalid mode: ${mode}`);
    const { mounts, imageMounts: images = {}, hostConfig, ...record } = named(book, ref).record;
    // Records of earlier versions say nothing of their own.
    const subpaths = { ...volumes.subpaths(hostConfig), ...record.subpaths };
    return { mounts, images, subpaths, mode };
  });
}

/** Our own by the names that clients know, and the others. */
function runtimesOf({ defaults }: Context): readonly string[] {
  return [...ownRuntimes, ...defaults.runtimes];
}

/** 64 hex; never all digits at the start, so that no client takes its prefix for a number. */
function newId(isTaken: (id: string) => boolean): string {
  for (;;) {
    const id = randomId();
    if (!/^\d{12}/.test(id) && !isTaken(id)) return id;
  }
}
