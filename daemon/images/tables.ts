/**
 * The tables of images. What is kept on disk is exactly what these rows refer to; the rest is
 * removed when nobody works on it.
 *
 *     image_tags ──┐
 *     image_digests┴─► images ─┬─► image_layers ─► layers        (unpacked, in the storage driver)
 *                              └─► image_blobs ──► blobs on disk (manifest, config, layers)
 *                                                  layer_blobs   (blob → its layer)
 *                              image_indexes: the indexes that it came by, blobs of it as well
 *     images.parent_id: the image that it was made from here, which cannot go before it
 */
export const imageTables = `
CREATE TABLE images (
  id                   TEXT PRIMARY KEY,   -- digest of the config
  config               TEXT NOT NULL,      -- the config itself
  manifest_digest      TEXT NOT NULL,
  manifest_media_type  TEXT NOT NULL,
  manifest_size_bytes  INTEGER NOT NULL,
  size_bytes           INTEGER NOT NULL,   -- of all its layers, unpacked
  last_tagged_at_ms    INTEGER             -- NULL unless tagged here
) STRICT;

CREATE TABLE image_tags (
  reference TEXT PRIMARY KEY,              -- in full: docker.io/library/busybox:latest
  image_id  TEXT NOT NULL
) STRICT;
CREATE INDEX image_tags_by_image ON image_tags (image_id);

CREATE TABLE image_digests (
  repository TEXT NOT NULL,                -- in full: docker.io/library/busybox
  digest     TEXT NOT NULL,                -- of the manifest or index that was asked for
  image_id   TEXT NOT NULL,
  PRIMARY KEY (repository, digest)
) STRICT;
CREATE INDEX image_digests_by_image ON image_digests (image_id);

CREATE TABLE image_layers (
  image_id    TEXT NOT NULL,
  position    INTEGER NOT NULL,            -- 0 is the lowest
  storage_key TEXT NOT NULL,
  PRIMARY KEY (image_id, position)
) STRICT;
CREATE INDEX image_layers_by_key ON image_layers (storage_key);

CREATE TABLE layers (
  storage_key TEXT PRIMARY KEY,            -- diffID or chainID, as the driver identifies layers
  diff_id     TEXT NOT NULL,               -- empty for a layer that only mends folders
  size_bytes  INTEGER NOT NULL,
  implied     TEXT NOT NULL                -- JSON: folders without an entry of their own
) STRICT;

CREATE TABLE image_blobs (
  image_id TEXT NOT NULL,
  digest   TEXT NOT NULL,
  PRIMARY KEY (image_id, digest)
) STRICT;
CREATE INDEX image_blobs_by_digest ON image_blobs (digest);

CREATE TABLE layer_blobs (
  digest  TEXT PRIMARY KEY,
  diff_id TEXT NOT NULL
) STRICT;
CREATE INDEX layer_blobs_by_diff ON layer_blobs (diff_id);
`;

/** The second version: an index ties the images of its platforms together. */
export const imageIndexTables = `
CREATE TABLE image_indexes (
  image_id   TEXT NOT NULL,
  digest     TEXT NOT NULL,                -- of the index, which is a blob of the image
  media_type TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  PRIMARY KEY (image_id, digest)
) STRICT;
CREATE INDEX image_indexes_by_digest ON image_indexes (digest);
`;

/** The third version: what was committed or built here has a parent, which stays as long. */
export const imageParentColumn = `
ALTER TABLE images ADD COLUMN parent_id TEXT;  -- NULL for what came from elsewhere
CREATE INDEX images_by_parent ON images (parent_id);
`;
