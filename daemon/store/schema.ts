/**
 * The database's shape, as numbered steps: step N brings a database of version N to N+1. Steps that
 * have been released never change. Records are JSON documents; columns beside them are what is
 * searched, unique or counted.
 *
 *   containers ─ id, name ──────────── one row a container, removed with it
 *   meta ─────── key ──────────────── facts about this engine: its id
 *   events ───── seq ──────────────── what happened, in order; the oldest are dropped
 */
export const baseTables = `
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

CREATE TABLE containers (
  id     TEXT PRIMARY KEY,
  name   TEXT NOT NULL UNIQUE,
  record TEXT NOT NULL,
  health TEXT
) STRICT;

CREATE TABLE events (
  seq        INTEGER PRIMARY KEY,
  time_ns    INTEGER NOT NULL,
  type       TEXT NOT NULL,
  action     TEXT NOT NULL,
  actor_id   TEXT NOT NULL,
  attributes TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_time ON events (time_ns);
`;
