/** The root filesystem, mounted at the bundle's `rootfs` in the shim's own mount namespace. */
import { CWD } from '../../../native/launch/opcodes.js';
import { overlayData } from '../../../native/overlay.js';
import type { MountRecipe } from '../../../storage-drivers/driver.js';
import { landing, type ProgramBuilder } from './builder.js';
import { OPEN_TREE_CLONE } from './kernel.js';

/** Errnos by which a kernel says that its overlay does not know the new way (before 6.8). */
const TOO_OLD = ['EINVAL', 'EOPNOTSUPP', 'ENOSYS'];

/** After `unshare` of the mount namespace: nobody else sees this mount. */
export function mountRootfs(builder: ProgramBuilder, recipe: MountRecipe, rootfs: string): void {
  const { host } = builder;
  const tree = builder.slot();
  if (recipe.kind === 'bind') {
    const about = 'root filesystem';
    host.push(
      { op: 'openTree', out: tree, dir: CWD, path: recipe.source, flags: OPEN_TREE_CLONE, about },
      { op: 'moveMount', from: tree, to: CWD, path: rootfs, flags: 0, about },
      { op: 'close', fd: tree },
    );
    return;
  }
  mountOverlay(builder, recipe, rootfs);
}

type OverlayRecipe = Extract<MountRecipe, { kind: 'overlay' }>;

function mountOverlay(builder: ProgramBuilder, recipe: OverlayRecipe, rootfs: string): void {
  const { host } = builder;
  const fs = builder.slot();
  const tree = builder.slot();
  const old = builder.label('overlay-old');
  const done = builder.label('overlay-done');
  const about = 'root filesystem (overlay)';
  const orOld = { tolerate: TOO_OLD, goto: old, about };
  const set = (key: string, value: string): void => {
    host.push({ op: 'fsconfigString', fs, key, value, ...orOld });
  };
  host.push({ op: 'fsopen', out: fs, type: 'overlay', ...orOld });
  set('source', 'overlay');
  for (const dir of recipe.lowerdirs) set('lowerdir+', dir);
  set('upperdir', recipe.upperdir);
  set('workdir', recipe.workdir);
  for (const option of options(recipe)) {
    const at = option.indexOf('=');
    if (at < 0) host.push({ op: 'fsconfigFlag', fs, key: option, ...orOld });
    else set(option.slice(0, at), option.slice(at + 1));
  }
  host.push(
    { op: 'fsmount', out: tree, fs, attrs: 0, ...orOld },
    { op: 'moveMount', from: tree, to: CWD, path: rootfs, flags: 0, about },
    { op: 'jump', goto: done },
    { op: 'chdir', path: recipe.shortNames.dir, label: old, about },
    {
      op: 'mount', source: 'overlay', on: CWD, target: rootfs, type: 'overlay', flags: 0,
      data: overlayData(recipe), about,
    },
    { op: 'chdir', path: '/' },
    landing(done),
    { op: 'close', fd: tree },
    { op: 'close', fd: fs },
  );
}

function options(recipe: OverlayRecipe): readonly string[] {
  return recipe.volatile ? [...recipe.options, 'volatile'] : recipe.options;
}
