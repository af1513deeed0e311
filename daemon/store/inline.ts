/**
 * Commits on the daemon's main thread, for what needs no disk sync: a few pages appended to the
 * write-ahead log, a tenth of a millisecond. Checkpoints stay the writer's.
 */
import Database from 'better-sqlite3';
import { createTransaction, type SqliteRefusal } from './prepared.js';
import type { Statement } from './store.js';

/** How an attempt ended. */
export type InlineOutcome =
  | { readonly kind: 'done' }
  /** The statements are at fault; nothing is changed. */
  | { readonly kind: 'refused'; readonly error: SqliteRefusal }
  /** It is the writer's turn. */
  | { readonly kind: 'not now' };

/** So often in a row the writer is passed over; then it gets one, and looks after the log. */
const maxInARow = 64;

/** Over the main thread's own connection; to be called while the writer has nothing to do. */
export function createInline(
  database: Database.Database,
): (statements: readonly Statement[]) => InlineOutcome {
  database.pragma('synchronous = NORMAL');
  database.pragma('wal_autocheckpoint = 0');
  const run = createTransaction(database);
  let inARow = 0;

  return (statements) => {
    inARow += 1;
    if (inARow > maxInARow) {
      inARow = 0;
      return { kind: 'not now' };
    }
    try {
      run.immediate(statements);
      return { kind: 'done' };
    } catch (error) {
      if (!(error instanceof Database.SqliteError)) throw error;
      const { code, message } = error;
      return code.startsWith('SQLITE_BUSY')
        ? { kind: 'not now' }
        : { kind: 'refused', error: { code, message } };
    }
  };
}
