import { closeSync, fsyncSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';

/** Why a database cannot be used: it was written by a newer program. */
export class NewerSchemaError extends Error {
  override readonly name = 'NewerSchemaError';
}

/**
 * Opens (or makes) the database in WAL mode and brings it to the newest version of `migrations`,
 * each step in a transaction of its own. A newer database than ours is refused and not touched.
 */
export function openDatabase(path: string, migrations: readonly string[]): Database.Database {
  const database = new Database(path, { timeout: 5_000 });
  try {
    const version = Number(database.pragma('user_version', { simple: true }));
    if (version > migrations.length) {
      throw new NewerSchemaError(
        `${path} has schema version ${version}, this program knows ${migrations.length}: ` +
          'it was last used by a newer tsdockerd; start that one, or give another --data-root',
      );
    }
    database.pragma('journal_mode = WAL');
    // better-sqlite3 is built with NORMAL for WAL, which forgets commits at a power cut.
    database.pragma('synchronous = FULL');
    migrations.slice(version).forEach((sql, step) => {
      database.transaction(() => {
        database.exec(sql);
        database.pragma(`user_version = ${version + step + 1}`);
      })();
    });
    // A read makes the log, whose name is to last as well.
    database.prepare('SELECT count(*) FROM sqlite_schema').get();
    syncFolder(dirname(path));
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
