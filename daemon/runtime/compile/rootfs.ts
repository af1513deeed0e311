/** The root filesystem, mounted at the bundle's `rootfs` in the shim's own mount namespace. */
import { CWD } from '../../../native/launch/opcodes.js';
import { overlayData } from '../../../native/overlay.js';
import type { LayerStack, MountRecipe, WritableStack } from '../../../storage-drivers/driver.js';
import type { IdMapping, IdMappings } from '../oci.js';
import { landing, type ProgramBuilder } from './builder.js';
import { mapIds } from './id-maps.js';
import { OPEN_TREE_CLONE } from './kernel.js';

/** Errnos by which a kernel says that its overlay does not know the new way (before 6.8). */
const TOO_OLD = ['EINVAL', 'EOPNOTSUPP', 'ENOSYS'];

/** After `unshare` of the mount namespace: nobody else sees this mount. */
export function mountRootfs(
  builder: ProgramBuilder,
  recipe: MountRecipe,
  at: string,
  maps: Partial<IdMappings>,
): void {
  if (recipe.kind === 'bind') bindFolder(builder, recipe.source, at, maps);
  else mountStack(builder, recipe, { at, about: 'root filesystem (overlay)', maps });
}

function bindFolder(
  builder: ProgramBuilder,
  source: string,
  target: string,
  maps: Partial<IdMappings>,
): void {
  const tree = builder.slot();
  const about = 'root filesystem';
  builder.host.push(
    { op: 'openTree', out: tree, dir: CWD, path: source, flags: OPEN_TREE_CLONE, about },
    ...(maps.uidMappings === undefined
      ? []
      : mapIds(builder, tree, maps, { recursive: false, about: `id map of ${source}` })),
    { op: 'moveMount', from: tree, to: CWD, path: target, flags: 0, about },
    { op: 'close', fd: tree },
  );
}

type Stack = LayerStack | WritableStack;

/** Where a stack is mounted, and how its owners are shown: as they are without maps. */
export interface StackPlace {
  readonly at: string;
  readonly about: string;
  readonly maps: Partial<IdMappings>;
}

/** Layers, with or without a folder that is written to, on a folder of the host. */
export function mountStack(builder: ProgramBuilder, stack: Stack, place: StackPlace): void {
  const isMapped = place.maps.uidMappings !== undefined;
  mountOverlay(builder, isMapped ? mapLayers(builder, stack, place) : stack, place);
}

/**
 * An overlay cannot be mapped, but what it is made of can: all of its folders are below one, which
 * is shown mapped at the overlay's own place and then covered by it. On the disk owners stay those
 * of the image, so that layers are shared, compared and committed as ever.
 */
function mapLayers(builder: ProgramBuilder, stack: Stack, { at, maps }: StackPlace): Stack {
  const { lowerdirs, shortNames } = stack;
  const written = 'upperdir' in stack ? [stack.upperdir, stack.workdir] : [];
  const folder = commonFolder([...written, shortNames.dir, ...lowerdirs]);
  const moved = (path: string): string => at + path.slice(folder.length);
  bindFolder(builder, folder, at, withMounter(maps));
  return {
    ...stack,
    lowerdirs: lowerdirs.map(moved),
    ...('upperdir' in stack
      ? { upperdir: moved(stack.upperdir), workdir: moved(stack.workdir) }
      : {}),
    shortNames: { ...shortNames, dir: moved(shortNames.dir) },
  };
}

/** The kernel's largest. */
const LAST_ID = 2 ** 32 - 2;

/** The overlay's own work is done by who mounts it, the host's root: that has an id on the disk. */
function withMounter(maps: Partial<IdMappings>): IdMappings {
  const { uidMappings = [], gidMappings = [] } = maps;
  const rootOnDisk = { containerID: LAST_ID, hostID: 0, size: 1 };
  const add = (map: readonly IdMapping[]): readonly IdMapping[] =>
    map.some(({ hostID }) => hostID === 0) ? map : [...map, rootOnDisk];
  return { uidMappings: add(uidMappings), gidMappings: add(gidMappings) };
}

function commonFolder(paths: readonly string[]): string {
  const [first = [], ...others] = paths.map((path) => path.split('/'));
  const end = first.findIndex((part, at) => others.some((other) => other[at] !== part));
  return first.slice(0, end < 0 ? first.length : end).join('/');
}

function mountOverlay(
  builder: ProgramBuilder,
  stack: Stack,
  { at, about }: StackPlace,
): void {
  const { host } = builder;
  const fs = builder.slot();
  const tree = builder.slot();
  const old = builder.label('overlay-old');
  const done = builder.label('overlay-done');
  const orOld = { tolerate: TOO_OLD, goto: old, about };
  const set = (key: string, value: string): void => {
    host.push({ op: 'fsconfigString', fs, key, value, ...orOld });
  };
  host.push({ op: 'fsopen', out: fs, type: 'overlay', ...orOld });
  set('source', 'overlay');
  for (const dir of stack.lowerdirs) set('lowerdir+', dir);
  if ('upperdir' in stack) {
    set('upperdir', stack.upperdir);
    set('workdir', stack.workdir);
  }
  for (const option of options(stack)) {
    const equals = option.indexOf('=');
    if (equals < 0) host.push({ op: 'fsconfigFlag', fs, key: option, ...orOld });
    else set(option.slice(0, equals), option.slice(equals + 1));
  }
  host.push(
    { op: 'fsmount', out: tree, fs, attrs: 0, ...orOld },
    { op: 'moveMount', from: tree, to: CWD, path: at, flags: 0, about },
    { op: 'jump', goto: done },
    { op: 'chdir', path: stack.shortNames.dir, label: old, about },
    {
      op: 'mount', source: 'overlay', on: CWD, target: at, type: 'overlay', flags: 0,
      data: overlayData(stack), about,
    },
    { op: 'chdir', path: '/' },
    landing(done),
    { op: 'close', fd: tree },
    { op: 'close', fd: fs },
  );
}

function options(stack: Stack): readonly string[] {
  return 'volatile' in stack && stack.volatile ? [...stack.options, 'volatile'] : stack.options;
}
