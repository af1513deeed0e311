/**
 * The tables of volumes. A volume lasts until it is removed by name; a use lasts as long as its
 * container, running or not.
 *
 *     volumes ◄── volume_uses ──► containers (by id, no foreign key: uses come first)
 */
export const volumeTables = `
CREATE TABLE volumes (
  name          TEXT PRIMARY KEY,
  driver        TEXT NOT NULL,
  labels        TEXT NOT NULL,     -- JSON
  options       TEXT NOT NULL,     -- JSON: type, device, o
  created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE volume_uses (
  container_id TEXT NOT NULL,
  destination  TEXT NOT NULL,
  volume       TEXT NOT NULL,
  anonymous    INTEGER NOT NULL,   -- the container did not name it: goes with it if asked
  copy         INTEGER NOT NULL,   -- to be filled from the image at the first start
  PRIMARY KEY (container_id, destination)
) STRICT;
CREATE INDEX volume_uses_by_volume ON volume_uses (volume);
`;
