/**
 * The writer worker: all commits that have arrived by the time it looks are one transaction, with a
 * savepoint each, so that a refused one takes none of the others along, and one disk sync serves
 * all. Checkpoints happen here too, off the daemon's main thread.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { createTransaction, type SqliteRefusal } from './prepared.js';
import type { Statement } from './store.js';

/** One transaction. */
export interface WriteRequest {
  readonly id: number;
  readonly statements: readonly Statement[];
  readonly full: boolean;
}

/** From the main thread: what came together there; nothing at all is the wish to end. */
export type WriteRequests = readonly WriteRequest[];

/** To the main thread: how one transaction ended. */
export interface WriteReply {
  readonly id: number;
  readonly error?: SqliteRefusal;
}

/** How many transactions one disk sync may carry. */
const maxBatch = 256;

function failure(error: unknown): SqliteRefusal {
  if (error instanceof Database.SqliteError) return { code: error.code, message: error.message };
  return { code: 'UNKNOWN', message: error instanceof Error ? error.message : String(error) };
}

function serve(port: MessagePort, path: string): void {
  const database = new Database(path, { timeout: 5_000 });
  let full: boolean | undefined;

  const runOne = createTransaction(database);
  const runAll = database.transaction((batch: WriteRequests): WriteReply[] =>
    batch.map((commit) => {
      try {
        runOne(commit.statements);
        return { id: commit.id };
      } catch (error) {
        return { id: commit.id, error: failure(error) };
      }
    }),
  );
  const write = (batch: WriteRequests): readonly WriteReply[] => {
    const wantsFull = batch.some((commit) => commit.full);
    if (wantsFull !== full) {
      database.pragma(`synchronous = ${wantsFull ? 'FULL' : 'NORMAL'}`);
      full = wantsFull;
    }
    try {
      return runAll.immediate(batch);
    } catch (error) {
      return batch.map(({ id }) => ({ id, error: failure(error) }));
    }
  };

  port.on('message', (first: WriteRequests) => {
    const batch: WriteRequest[] = [];
    let next: WriteRequests | undefined = first;
    while (next !== undefined && next.length > 0) {
      batch.push(...next);
      next =
        batch.length < maxBatch
          ? // Only the main thread's WriteRequests are ever posted to this port.
            (receiveMessageOnPort(port)?.message as WriteRequests | undefined)
          : undefined;
    }
    if (batch.length > 0) port.postMessage(write(batch));
    if (next !== undefined) {
      database.close();
      port.close();
    }
  });
}

if (parentPort !== null) serve(parentPort, String(workerData));
