import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
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
import { containerEvent, save } from './context.js';
import type { Context } from './context.js';
import { failuresOf } from './failures.js';
import { completeHostConfig } from './host-config.js';
import { mergeImageConfig } from './merge-image.js';
import { generateName } from './names.js';
import type { ContainerImage } from './needs.js';
import { checkPlatform } from './platform.js';
import type { ContainerRecord } from './record.js';
import { checkConfig, checkName } from './validate.js';
import { checkHostConfig } from './validate-host.js';

/** `Healthcheck.StartInterval` came with API 1.44. */
const startIntervalMinor = 44;

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
  checkHostConfig(user, hostConfig, { runtimes: runtimesOf(context) });
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
  context.book.addDraft(draft);
  try {
    await make(context, draft);
  } finally {
    context.book.dropDraft(draft);
  }
  return { Id: id, Warnings: [...warnings, ...advice(user, hostConfig, request.apiMinor)] };
}

/** What is of another system, or what newer clients are asked to say elsewhere. */
function advice(
  { MacAddress = '' }: ContainerConfig,
  { CpuPercent = 0 }: HostConfig,
  apiMinor: number,
): readonly string[] {
  const list: string[] = [];
  if (CpuPercent > 0) list.push('linux does not support CPU percent. Percent discarded.');
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

/** Volumes, folders and the writable layer, then the record: in this order, undone in reverse. */
async function make(context: Context, draft: ContainerRecord): Promise<void> {
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
    undo.unshift(() => context.discardBundle(id));
    mkdirSync(context.bundlePath(id), { recursive: true, mode: 0o710 });
    undo.unshift(() => context.rootfs.remove(id));
    await context.rootfs.create(id, draft.layers);
    const container = new Container({ ...draft, mounts });
    await save(context, container, container.record, {
      // Nobody is told of a container that the next start of the daemon removes.
      durability: draft.ephemeral === true ? 'normal' : 'full',
      events: [containerEvent(container.record, 'create')],
    });
    context.book.add(container);
  } catch (error) {
    const results = await Promise.allSettled(undo.map((step) => step()));
    const failed = failuresOf(results);
    if (failed.length > 0)
      context.log.error({ id, failed }, 'a failed create left something behind');
    throw error;
  }
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
    endpoints: endpointsOf(hostConfig, user, draft.endpoints),
    restartCount: 0,
    stoppedByUser: false,
    ...(draft.ephemeral === undefined ? {} : { ephemeral: draft.ephemeral }),
    state: { status: 'created' },
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

/** Docker names a container by the start of its id, unless it has no UTS namespace of its own. */
function hostname(
  id: string,
  config: ContainerConfig,
  { UTSMode, NetworkMode }: HostConfig,
): string {
  if (config.Hostname !== undefined && config.Hostname !== '') return config.Hostname;
  return UTSMode === 'host' || NetworkMode === 'host' ? osHostname() : id.slice(0, 12);
}

/** The networks that it is on: the one of its mode, and what else was asked for. */
function endpointsOf(
  { NetworkMode = 'bridge' }: HostConfig,
  { MacAddress }: ContainerConfig,
  asked: Readonly<Record<string, EndpointSettings>>,
): Readonly<Record<string, EndpointSettings>> {
  if (NetworkMode.startsWith('container:')) return {};
  const { default: unnamed, ...named } = asked;
  const own = { ...unnamed, ...named[NetworkMode] };
  const mac = own.MacAddress ?? MacAddress;
  return {
    [NetworkMode]: mac === undefined || mac === '' ? own : { ...own, MacAddress: mac },
    ...Object.fromEntries(Object.entries(named).filter(([name]) => name !== NetworkMode)),
  };
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
function volumesFrom({ book }: Context, { VolumesFrom: from = [] }: HostConfig) {
  return from.map((entry) => {
    const [, ref = '', mode = 'rw'] = /^([^:]*)(?::(.*))?$/.exec(entry) ?? [];
    if (ref === '') throw invalidParameter('volumes-from specification cannot be an empty string');
    if (!/^(?:[a-zA-Z,]*)$/.test(mode)) throw invalidParameter(`invalid mode: ${mode}`);
    return { mounts: named(book, ref).record.mounts, mode };
  });
}

/** The one runtime, by its own name and by those that clients know. */
function runtimesOf({ defaults }: Context): readonly string[] {
  return [defaults.runtime, 'runc', 'io.containerd.runc.v2'];
}

/** 64 hex; never all digits at the start, so that no client takes its prefix for a number. */
function newId(isTaken: (id: string) => boolean): string {
  for (;;) {
    const id = randomBytes(32).toString('hex');
    if (!/^\d{12}/.test(id) && !isTaken(id)) return id;
  }
}
