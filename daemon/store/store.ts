/**
 * The daemon's SQLite database, as services see it. Reads and writes are synchronous on the main
 * thread; disk syncs are not, and one serves all who came before it.
 */
export interface Store {
  /**
   * Carries out `statements` as one transaction. `full`: resolves when it would survive a power cut
   * (what a client is told). `normal`: survives `kill -9` of the daemon, not a power cut (what is
   * only observed and can be derived again). Commits happen in the order of the calls.
   * Rejects with `ApiError` 409 `UNIQUE` on a constraint, 507 when the disk is full.
   */
  commit(statements: readonly Statement[], durability: 'full' | 'normal'): Promise<void>;
  /**
   * As `commit`, for what nobody waits for: carried out before the next transaction and with it, or
   * in 20 ms, when `change` is called, once. A daemon that is killed meanwhile loses it. Who opened
   * the store hears of a refusal.
   */
  soon(change: () => readonly Statement[]): void;
  /** Carries out what `soon` has left for later. */
  flush(): void;
  /**
   * Rows of a read; sees every commit that has resolved, and may see later ones. What `soon` was
   * told is seen after `flush`.
   */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- names the columns
  rows<Row extends SqlRow>(sql: string, ...params: readonly SqlValue[]): readonly Row[];
  close(): Promise<void>;
}

/** One statement with its parameters, in the order of its plain `?` marks. */
export interface Statement {
  readonly sql: string;
  readonly params: readonly SqlValue[];
}

/** Columns by name. */
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** What SQLite keeps. */
export type SqlValue = string | number | bigint | null | Uint8Array;
