import type Database from 'better-sqlite3';
import { ApiError, conflict, noSpace, systemError } from '../../api-spec/errors.js';
import { createCheckpoints } from './checkpoints.js';
import { createInline } from './inline.js';
import { Later } from './later.js';
import { createLogSync } from './log-sync.js';
import { openDatabase } from './open.js';
import { createPreparer, type SqliteRefusal } from './prepared.js';
import type { SqlRow, SqlValue, Statement, Store } from './store.js';

export type { SqlRow, SqlValue, Statement, Store } from './store.js';
export { NewerSchemaError } from './open.js';

/** How many transactions may wait for a checkpoint before new ones are refused (503). */
const maxWaiting = 10_000;

interface Waiting {
  readonly statements: readonly Statement[];
  readonly durability: 'full' | 'normal';
  readonly settle: (outcome: Promise<void>) => void;
}

/**
 * Opens the database at `path`, brought to the newest of `migrations`. Throws `NewerSchemaError`
 * for one of a later program, and SQLite's own error for a file that is none. `warn` hears of what
 * keeps the log from being moved into the database, and of changes that nobody waited for and that
 * were refused. The caller closes it.
 */
export function openStore(
  path: string,
  migrations: readonly string[],
  warn = (reason: string): void => process.emitWarning(reason),
): Store {
  const database = openDatabase(path, migrations);
  const log = createLogSync(`${path}-wal`);
  const later = new Later(() => flush());
  const inline = withLater(createInline(database), later, warn);
  let waiting: Waiting[] = [];
  let closed: Error | undefined;

  const carryOut = (statements: readonly Statement[], full: boolean): Promise<void> => {
    const failed = closed ?? log.failure();
    if (failed !== undefined) return Promise.reject(failed);
    const refused = inline(statements);
    if (refused !== undefined) return Promise.reject(refusal(refused));
    checkpoints.count();
    return full ? log.durable() : Promise.resolve();
  };
  const flush = (): void => {
    if ((closed ?? log.failure()) === undefined) inline([]);
  };
  const goOn = (): void => {
    const those = waiting;
    waiting = [];
    for (const { statements, durability, settle } of those) {
      settle(carryOut(statements, durability === 'full'));
    }
  };
  const checkpoints = createCheckpoints(path, { goOn, warn });

  return {
    commit(statements: readonly Statement[], durability: 'full' | 'normal'): Promise<void> {
      if (!checkpoints.isPaused()) return carryOut(statements, durability === 'full');
      if (waiting.length >= maxWaiting) {
        return Promise.reject(new ApiError('Unavailable', 'too many changes wait for the disk'));
      }
      return new Promise((settle) => waiting.push({ statements, durability, settle }));
    },

    soon: (change) => later.add(change),
    flush,
    rows: createReader(database),

    async close(): Promise<void> {
      await checkpoints.close();
      goOn();
      flush();
      await log.close();
      closed = systemError('the database is closed');
      database.close();
    },
  };
}

type Inline = ReturnType<typeof createInline>;

/** What waits goes into the same transaction, unless one of the two is refused. */
function withLater(inline: Inline, later: Later, warn: (reason: string) => void): Inline {
  return (statements) => {
    const waiting = later.take();
    const all = waiting.length === 0 ? statements : [...waiting.flat(), ...statements];
    const refused = all.length === 0 ? undefined : inline(all);
    if (refused === undefined || waiting.length === 0) return refused;
    for (const each of waiting) {
      const why = inline(each);
      if (why !== undefined) warn(`a change is lost: ${why.message}`);
    }
    return inline(statements);
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
