/** What a stage is at one point: an image that may never be registered. Pure. */
import type { ContainerConfig } from '../../api-spec/index.js';
import type { Descriptor } from '../content/index.js';
import type { BuildBase } from '../images/builds.js';
import type { HistoryEntry } from '../images/image-config.js';
import { digestOf } from '../content/index.js';

/** A config as images carry it. */
export type RunConfig = Partial<ContainerConfig>;

/** Immutable; each step makes the next. */
export interface StageState {
  /** Digest of `document`; empty before anything is there. */
  readonly id: string;
  /** The image that its `FROM` named; empty after `FROM scratch`. */
  readonly baseId: string;
  readonly config: RunConfig;
  readonly author: string;
  readonly platform: { readonly os: string; readonly architecture: string; variant?: string };
  readonly history: readonly HistoryEntry[];
  readonly diffIds: readonly string[];
  /** One for each diffID. */
  readonly layers: readonly Descriptor[];
  /** What the storage driver stacks, lowest first. */
  readonly storageKeys: readonly string[];
  /** Whether this stage has said `CMD`: an `ENTRYPOINT` alone takes the base's away. */
  readonly cmdIsOwn: boolean;
  readonly createdAt: string;
}

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** After `FROM scratch`. */
export function emptyState(platform: StageState['platform']): StageState {
  return {
    id: '',
    baseId: '',
    config: { Env: [defaultPath] },
    author: '',
    platform,
    history: [],
    diffIds: [],
    layers: [],
    storageKeys: [],
    cmdIsOwn: false,
    createdAt: '',
  };
}

/** After `FROM image`. */
export function stateOfBase({ id, config, layers, storageKeys }: BuildBase): StageState {
  const { os, architecture, variant } = config;
  return {
    id,
    baseId: id,
    config: withPath(config.config),
    author: config.author ?? '',
    platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
    history: config.history,
    diffIds: config.diffIds,
    layers,
    storageKeys,
    cmdIsOwn: false,
    createdAt: config.created ?? '',
  };
}

/** Each stage has a PATH, as if its base had said so. */
export function withPath(config: RunConfig): RunConfig {
  const env = config.Env ?? [];
  const hasPath = env.some((entry) => entry.startsWith('PATH='));
  return hasPath ? config : { ...config, Env: [...env, defaultPath] };
}

/** What one step adds. */
export interface StepResult {
  readonly config: RunConfig;
  readonly createdBy: string;
  readonly createdAt: string;
  readonly author?: string;
  readonly cmdIsOwn?: boolean;
  readonly layer?:
    | { readonly diffId: string; readonly blob: Descriptor; readonly storageKey: string }
    | undefined;
}

/** The state after a step; `version` is shown as the image's `DockerVersion`. */
export function afterStep(state: StageState, step: StepResult, version: string): StageState {
  const { config, createdBy, createdAt, layer } = step;
  const author = step.author ?? state.author;
  const entry: HistoryEntry = {
    created: createdAt,
    ...(author === '' ? {} : { author }),
    created_by: createdBy,
    ...(layer === undefined ? { empty_layer: true } : {}),
  };
  const next = {
    ...state,
    config,
    author,
    createdAt,
    history: [...state.history, entry],
    cmdIsOwn: step.cmdIsOwn ?? state.cmdIsOwn,
    ...(layer === undefined
      ? {}
      : {
          diffIds: [...state.diffIds, layer.diffId],
          layers: [...state.layers, layer.blob],
          storageKeys: onTop(state.storageKeys, layer.storageKey),
        }),
  };
  return { ...next, id: digestOf(documentOf(next, version)) };
}

/** A layer that is there already counts from its topmost place: overlayfs takes it once. */
function onTop(storageKeys: readonly string[], key: string): readonly string[] {
  return [...storageKeys.filter((beneath) => beneath !== key), key];
}

/** The config of the image that this state would be. */
export function documentOf(state: Omit<StageState, 'id'>, version: string): string {
  const { platform, config, author, createdAt, history, diffIds } = state;
  return JSON.stringify({
    architecture: platform.architecture,
    ...(author === '' ? {} : { author }),
    config,
    created: createdAt,
    docker_version: version,
    history,
    os: platform.os,
    rootfs: { type: 'layers', diff_ids: diffIds },
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
  });
}

/** As `documentOf` writes it. */
interface OwnDocument {
  readonly author?: string;
  readonly config: RunConfig;
  readonly created: string;
  readonly history: readonly HistoryEntry[];
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

/** A state that was written down as its document. */
export function stateOfDocument(
  before: StageState,
  found: {
    readonly id: string;
    /** Of `documentOf`, and of nobody else. */
    readonly document: string;
    readonly cmdIsOwn: boolean;
    readonly layer: StepResult['layer'];
  },
): StageState {
  const { id, document, cmdIsOwn, layer } = found;
  // Every hit of the cache comes here: what only `documentOf` writes is not checked once more.
  const { author = '', config, created, history, rootfs } = JSON.parse(document) as OwnDocument;
  return {
    ...before,
    id,
    cmdIsOwn,
    config,
    author,
    history,
    createdAt: created,
    diffIds: rootfs.diff_ids,
    layers: layer === undefined ? before.layers : [...before.layers, layer.blob],
    storageKeys:
      layer === undefined ? before.storageKeys : onTop(before.storageKeys, layer.storageKey),
  };
}
