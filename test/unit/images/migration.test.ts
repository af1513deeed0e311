import { join } from 'node:path';
import { test } from 'tap';
import { changes, openCatalog } from '../../../daemon/images/catalog.js';
import { imageIndexTables, imageParentColumn, imageTables } from '../../../daemon/images/tables.js';
import { openStore } from '../../../daemon/store/index.js';

const config = '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}';
const [older, newer] = ['a', 'b'].map((digit) => `sha256:${digit.repeat(64)}`) as [string, string];

test('images of a database without parents are kept, and may become parents', async (t) => {
  const path = join(t.testdir(), 'db');
  const before = openStore(path, [imageTables, imageIndexTables]);
  const sql = 'INSERT INTO images VALUES (?, ?, ?, ?, ?, ?, NULL)';
  await before.commit([{ sql, params: [older, config, older, 'type', 1, 0] }], 'full');
  await before.close();

  const store = openStore(path, [imageTables, imageIndexTables, imageParentColumn]);
  t.teardown(() => store.close());
  const catalog = openCatalog(store);
  t.match(catalog.image(older), { id: older, parentId: undefined });
  const add = (id: string, parentId?: string) =>
    changes.addImage({
      id,
      configText: config,
      manifest: { mediaType: 'type', digest: id, size: 1 },
      layers: [],
      layerBlobs: [],
      ...(parentId === undefined ? {} : { parentId }),
    });
  await store.commit(add(newer, older), 'full');
  t.equal(catalog.image(newer)?.parentId, older);
  t.same(catalog.children(older), [newer]);
  await store.commit(add(newer), 'full');
  t.equal(catalog.image(newer)?.parentId, older, 'a pull of the same image does not forget it');

  await store.commit(changes.removeImage(older), 'full');
  t.equal(catalog.image(newer)?.parentId, undefined);
  await store.commit(add(newer, older), 'full');
  t.equal(catalog.image(newer)?.parentId, undefined, 'what is not there is no parent');
});
