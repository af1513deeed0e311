import type Database from 'better-sqlite3';
import type { SqlValue, Statement } from './store.js';

/** What SQLite said when it refused. */
export interface SqliteRefusal {
  readonly code: string;
  readonly message: string;
}

/** A connection's statements, each prepared once. */
export function createPreparer(
  database: Database.Database,
): (sql: string) => Database.Statement<SqlValue[]> {
  const prepared = new Map<string, Database.Statement<SqlValue[]>>();
  return (sql) => {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    const made = database.prepare<SqlValue[]>(sql);
    prepared.set(sql, made);
    return made;
  };
}

/** Statements carried out as one transaction, or as one savepoint inside of another. */
export function createTransaction(
  database: Database.Database,
): Database.Transaction<(statements: readonly Statement[]) => void> {
  const prepare = createPreparer(database);
  return database.transaction((statements: readonly Statement[]) => {
    for (const { sql, params } of statements) prepare(sql).run(...params);
  });
}
