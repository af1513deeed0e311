/**
 * Commits on the daemon's main thread: a few pages appended to the write-ahead log, a tenth of a
 * millisecond. Syncs and checkpoints are made elsewhere.
 */
import Database from 'better-sqlite3';
import { createTransaction, type SqliteRefusal } from './prepared.js';
import type { Statement } from './store.js';

/** Over the main thread's own connection. What it answers is why nothing was changed, if so. */
export function createInline(
  database: Database.Database,
): (statements: readonly Statement[]) => SqliteRefusal | undefined {
  database.pragma('synchronous = NORMAL');
  database.pragma('wal_autocheckpoint = 0');
  const run = createTransaction(database);

  return (statements) => {
    try {
      run.immediate(statements);
      return undefined;
    } catch (error) {
      if (!(error instanceof Database.SqliteError)) throw error;
      return { code: error.code, message: error.message };
    }
  };
}
