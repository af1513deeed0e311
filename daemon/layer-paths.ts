/** Paths in the layers of images, and folders in containers: for who makes a container. */
import { Readable } from 'node:stream';
import { MergedTree } from '../native/merged-tree.js';
import { putIntoContainer, type ContainerRoot } from '../native/unpack/index.js';
import { tarEnd, tarHeader } from './archive/index.js';
import type { RootfsNeed } from './containers/needs.js';
import { remember } from './remember.js';
import type { StorageDriver } from '../storage-drivers/driver.js';

type LookUp = RootfsNeed['lookUp'];

/** As `RootfsNeed.lookUp`; layers never change, so that an answer is remembered. */
export function lookUpIn(driver: StorageDriver): LookUp {
  const known = new Map<string, ReturnType<LookUp>>();
  return (layers, path) => {
    const key = [path, ...layers].join('\0');
    return known.get(key) ?? remember(known, key, look(driver.layerFolders(layers), path));
  };
}

function look(dirsTopFirst: readonly string[], path: string): ReturnType<LookUp> {
  const tree = new MergedTree(dirsTopFirst);
  try {
    const { path: real, entry } = tree.resolve(path, { followLast: true });
    if (entry !== undefined) {
      return { kind: entry.kind === 'directory' ? 'directory' : 'other', missing: [] };
    }
    const names = real.split('/');
    const above = names.map((_name, index) => names.slice(0, index + 1).join('/'));
    const isMissing = (each: string): boolean =>
      tree.resolve(`/${each}`, { followLast: false }).entry === undefined;
    return { kind: 'none', missing: above.filter(isMissing) };
  } finally {
    tree.close();
  }
}

/** As `FilesNeed.makeFolders`. */
export async function makeFoldersIn(
  root: ContainerRoot,
  folders: readonly string[],
): Promise<void> {
  const mtimeSeconds = Math.floor(Date.now() / 1000);
  const headers = folders.map((name) => tarHeader({
    name: `${name}/`, type: 'directory', mode: 0o755, uid: 0, gid: 0, mtimeSeconds, sizeBytes: 0,
  }));
  await putIntoContainer(root, {
    path: '/', source: Readable.from([Buffer.concat([...headers, tarEnd])]), keepKind: true,
  });
}
