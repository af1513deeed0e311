/**
 * The checkpointer worker: moves what is in the write-ahead log into the database file, which syncs
 * both, off the daemon's main thread. It never writes anything of its own.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import Database from 'better-sqlite3';

/** To the main thread: how a checkpoint ended. */
export interface CheckpointReply {
  /** How many the log had. */
  readonly pages: number;
  /** Why there was none; the log only grows. */
  readonly error?: string;
}

function checkpoint(database: Database.Database): CheckpointReply {
  try {
    // sqlite.org/pragma.html#pragma_wal_checkpoint: one row; `log` counts pages.
    const [row] = database.pragma('wal_checkpoint(PASSIVE)') as readonly { readonly log: number }[];
    return { pages: row?.log ?? 0 };
  } catch (error) {
    return { pages: 0, error: error instanceof Error ? error.message : String(error) };
  }
}

function serve(port: MessagePort, path: string): void {
  const database = new Database(path, { timeout: 5_000 });
  port.on('message', (wish: 'checkpoint' | 'end') => {
    if (wish === 'checkpoint') {
      port.postMessage(checkpoint(database));
      return;
    }
    database.close();
    port.close();
  });
}

if (parentPort !== null) serve(parentPort, String(workerData));
