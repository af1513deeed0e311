/** A storage driver to be tried, with layers and containers in few words. */
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Test } from 'tap';
import { unpackLayer } from '../../native/unpack/index.js';
import { createStorageDriver, type StorageDriver } from '../../storage-drivers/index.js';
import { insideRootfs } from './rootfs.js';
import { tarOf, type TarEntry } from './tar.js';

/** How a container wants its root, mostly. */
export const options = { readonly: false, volatile: false };
/** A container that nobody else has. */
export const id = (): string => randomBytes(32).toString('hex');

/** A driver on an empty disk. */
export interface Bench {
  readonly driver: StorageDriver;
  readonly storage: string;
  /** Unpacks layers, lowest first, and returns their keys. */
  readonly layers: (...stack: readonly (readonly TarEntry[])[]) => Promise<readonly string[]>;
  /** Makes a container on layers and returns what a script prints in it. */
  readonly see: (layers: readonly string[], script: string, container?: string) => Promise<string>;
}

/** Opens the driver `name` for the time of a test. */
export async function bench(t: Test, name: string): Promise<Bench> {
  const storage = t.testdir({});
  const driver = await createStorageDriver(name, storage);
  t.teardown(() => driver.close());
  const layers: Bench['layers'] = async (...stack) => {
    const keys: string[] = [];
    let chain = '';
    for (const entries of stack) {
      const tar = tarOf(entries);
      const diffId = createHash('sha256').update(tar).digest('hex');
      chain = createHash('sha256').update(`${chain} ${diffId}`).digest('hex');
      const key = `sha256:${driver.layerIdentity === 'diffID' ? diffId : chain}`;
      if (!(await driver.hasLayer(key))) {
        const stage = await driver.stageLayer({ key, parents: [...keys] });
        const source = Readable.from([tar]);
        await unpackLayer({ source, target: stage.path, whiteouts: stage.whiteouts });
        await stage.commit();
      }
      keys.push(key);
    }
    return keys;
  };
  const see: Bench['see'] = async (keys, script, container = id()) => {
    await driver.createContainer(container, keys);
    const text = await insideRootfs(await driver.mount(container, keys, options), script);
    return text.trim();
  };
  return { driver, storage, layers, see };
}
