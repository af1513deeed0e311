/**
 * The tables of builds: what steps have made, by what they were made from.
 *
 *     build_records ──► its layer (layers, blobs on disk)
 */
export const buildTables = `
CREATE TABLE build_records (
  key             TEXT PRIMARY KEY,        -- digest of parent, instruction and inputs
  id              TEXT NOT NULL,           -- digest of the document
  parent          TEXT NOT NULL,           -- id of the state before; empty for scratch
  document        TEXT NOT NULL,           -- config of the image that this would be
  cmd_is_own      INTEGER NOT NULL,
  kind            TEXT NOT NULL,           -- regular, source.local
  description     TEXT NOT NULL,
  storage_key     TEXT NOT NULL,           -- of its layer; empty for none
  diff_id         TEXT NOT NULL,
  blob_size_bytes INTEGER NOT NULL,
  size_bytes      INTEGER NOT NULL,
  created_at_ms   INTEGER NOT NULL,
  last_used_at_ms INTEGER NOT NULL,
  usage_count     INTEGER NOT NULL
) STRICT;
CREATE INDEX build_records_by_id ON build_records (id);
CREATE INDEX build_records_by_storage_key ON build_records (storage_key);
CREATE INDEX build_records_by_diff_id ON build_records (diff_id);
`;

/** What `RUN --mount=type=cache` keeps between builds: one row a folder. */
export const buildCacheMountTables = `
CREATE TABLE build_cache_mounts (
  name            TEXT PRIMARY KEY,        -- of its folder
  key             TEXT NOT NULL,           -- what a Dockerfile asks for
  description     TEXT NOT NULL,
  size_bytes      INTEGER NOT NULL,
  created_at_ms   INTEGER NOT NULL,
  last_used_at_ms INTEGER NOT NULL,
  usage_count     INTEGER NOT NULL
) STRICT;
`;
