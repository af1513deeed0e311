import { Worker } from 'node:worker_threads';
import type Database from 'better-sqlite3';
import { ApiError, conflict, noSpace, systemError } from '../../api-spec/errors.js';
import { createInline } from './inline.js';
import { openDatabase } from './open.js';
import { createPreparer, type SqliteRefusal } from './prepared.js';
import type { SqlRow, SqlValue, Statement, Store } from './store.js';
import type { WriteReply, WriteRequest } from './writer.js';

export type { SqlRow, SqlValue, Statement, Store } from './store.js';
export { NewerSchemaError } from './open.js';

/** How many transactions may wait for the writer before new ones are refused (503). */
const maxPending = 10_000;

interface Pending {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Opens the database at `path`, brought to the newest of `migrations`. Throws `NewerSchemaError`
 * for one of a later program, and SQLite's own error for a file that is none. The caller closes it.
 */
export function openStore(path: string, migrations: readonly string[]): Store {
  const database = openDatabase(path, migrations);
  const worker = new Worker(new URL('./writer.js', import.meta.url), { workerData: path });
  worker.unref();
  const pending = new Map<number, Pending>();
  let lastId = 0;
  let failed: Error | undefined;
  let closing = false;

  const settle = (replies: readonly WriteReply[]): void => {
    for (const { id, error } of replies) {
      const waiter = pending.get(id);
      pending.delete(id);
      if (error === undefined) waiter?.resolve();
      else waiter?.reject(refusal(error));
    }
    if (pending.size === 0 && !closing) worker.unref();
  };
  const fail = (error: Error): void => {
    failed = error;
    for (const waiter of pending.values()) waiter.reject(error);
    pending.clear();
  };
  worker.on('message', settle);
  worker.on('error', fail);

  const post = createPoster(worker);
  const inline = createInline(database);

  return {
    commit(statements: readonly Statement[], durability: 'full' | 'normal'): Promise<void> {
      if (failed !== undefined) return Promise.reject(failed);
      // Nothing is to be synced and nothing waits: waking the writer would be most of the work.
      if (durability === 'normal' && pending.size === 0 && !closing) {
        const outcome = inline(statements);
        if (outcome.kind === 'done') return Promise.resolve();
        if (outcome.kind === 'refused') return Promise.reject(refusal(outcome.error));
      }
      if (pending.size >= maxPending) {
        return Promise.reject(new ApiError('Unavailable', 'too many changes wait for the disk'));
      }
      const id = ++lastId;
      worker.ref();
      post({ id, statements, full: durability === 'full' });
      return new Promise((resolve, reject) => pending.set(id, { resolve, reject }));
    },

    rows: createReader(database),

    async close(): Promise<void> {
      closing = true;
      worker.ref();
      const ended = new Promise((resolve) => worker.once('exit', resolve));
      queueMicrotask(() => worker.postMessage([]));
      await ended;
      fail(systemError('the database is closed'));
      database.close();
    },
  };
}

/** What is committed in one turn goes as one message: waking the worker is the dear part. */
function createPoster(worker: Worker): (request: WriteRequest) => void {
  let waiting: WriteRequest[] = [];
  return (request) => {
    waiting.push(request);
    if (waiting.length > 1) return;
    queueMicrotask(() => {
      worker.postMessage(waiting);
      waiting = [];
    });
  };
}

/** Reads on the calling thread; each statement is prepared once. */
function createReader(database: Database.Database): Store['rows'] {
  const prepare = createPreparer(database);
  return <Row extends SqlRow>(sql: string, ...params: readonly SqlValue[]) => {
    // The caller's SELECT names the columns of Row; SQLite's STRICT tables keep their types.
    return prepare(sql).all(...params) as Row[];
  };
}

function refusal({ code, message }: SqliteRefusal): Error {
  if (code.startsWith('SQLITE_CONSTRAINT')) return conflict(message);
  if (code === 'SQLITE_FULL') return noSpace(`no space left for the database: ${message}`);
  return systemError(`database: ${message}`);
}
