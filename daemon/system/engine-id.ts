import { randomUUID } from 'node:crypto';
import type { Store } from '../store/store.js';

/** The engine's own id: made at its first start, and kept in its database from then on. */
export async function engineId(store: Store): Promise<string> {
  const [known] = store.rows<{ value: string }>("SELECT value FROM meta WHERE key = 'engine-id'");
  if (known !== undefined) return known.value;
  const id = randomUUID();
  const sql = "INSERT INTO meta (key, value) VALUES ('engine-id', ?)";
  await store.commit([{ sql, params: [id] }], 'full');
  return id;
}
