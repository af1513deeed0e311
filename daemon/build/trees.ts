/** The trees that `--from` names, and copies of parts of them on the host. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { ApiError, invalidParameter } from '../../api-spec/errors.js';
import type { BuildBase } from '../images/builds.js';
import { contentOf, type Selected } from './copy/select.js';
import type { Build } from './build.js';
import { writeLayerTar, type LayerEntries, type LayerEntry } from './layer-tar.js';
import { openFolders, type SourceEntry, type SourceTree } from './source-tree.js';
import { memoryTree } from './memory-tree.js';
import type { StageState } from './state.js';

/** A tree that the caller closes, with the id of what it shows. */
export interface NamedTree {
  readonly tree: SourceTree;
  readonly id: string;
}

/** The root filesystem of a state: empty for `scratch`. */
export function openRootfs({ context }: Build, { storageKeys }: StageState): SourceTree {
  if (storageKeys.length === 0) return memoryTree(new Map(), { mode: 0, mtimeMs: 0 });
  return openFolders(context.layerFolders(storageKeys));
}

/** A stage before `stage`, by name or number, or else an image. */
export async function openFrom(build: Build, from: string, stage: number): Promise<NamedTree> {
  const index = build.plan.stageIndex(from, stage);
  if (index !== undefined) {
    const state = await build.stage(index);
    return { tree: openRootfs(build, state), id: state.id };
  }
  if (/^\d+$/.test(from)) {
    const why = Number(from) === stage ? 'refers to current build stage' : 'index out of bounds';
    throw invalidParameter(`invalid from flag value ${from}: ${why}`);
  }
  const base = await imageFrom(build, from);
  await build.hold.keepBase(base);
  return { tree: openFolders(build.context.layerFolders(base.storageKeys)), id: base.id };
}

async function imageFrom(build: Build, from: string): Promise<BuildBase> {
  try {
    return await build.context.images.base({
    name: from,
    platform: build.request.platform,
    pull: build.request.pull,
    auth: build.request.session.auth(build.context.images.registryOf(from)),
    sink: () => Promise.resolve(),
    signal: build.signal,
    });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new ApiError(error.kind, `invalid from flag value ${from}: ${error.message}`, {
      cause: error,
    });
  }
}

/** A copy on the host of what was selected: a file, or a folder with all below. */
export async function materialize(build: Build, selected: Selected): Promise<string> {
  const folder = await build.scratch.make();
  const target = await build.scratch.make();
  const entries: LayerEntries = new Map();
  const whole: SourceEntry = { ...selected.entry, path: selected.path };
  entries.set('root', copyOf(selected, whole));
  if (selected.entry.kind === 'directory') {
    for await (const entry of contentOf(selected)) {
      if (entry.kind !== 'socket') entries.set(`root/${entry.below}`, copyOf(selected, entry));
    }
  }
  const tar = join(folder, 'tar');
  const file = await open(tar, 'wx', 0o600);
  try {
    await writeLayerTar(entries, file.fd, build.signal);
  } finally {
    await file.close();
  }
  await build.context.unpack({ source: { path: tar }, target, signal: build.signal });
  return join(target, 'root');
}

function copyOf({ tree }: Selected, entry: SourceEntry): LayerEntry {
  const { kind, mode, uid, gid, mtimeMs, sizeBytes, target, device, identity } = entry;
  return {
    kind: kind === 'socket' ? 'fifo' : kind,
    mode,
    uid,
    gid,
    mtimeMs,
    sizeBytes,
    target,
    device,
    identity,
    ...(kind === 'file' ? { content: { tree, path: entry.path } } : {}),
  };
}
