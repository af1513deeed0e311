/** Reads the image tables, and builds the statements that change them. */
import type { Descriptor } from '../content/index.js';
import { remember } from '../remember.js';
import type { Statement, Store } from '../store/store.js';
import { parseImageConfig, type ImageConfig } from './image-config.js';

/** An image that is kept. */
export interface ImageRecord {
  readonly id: string;
  readonly config: ImageConfig;
  readonly manifest: Descriptor;
  readonly sizeBytes: number;
  readonly lastTaggedAtMs: number | undefined;
  /** The image that it was committed or built from here. */
  readonly parentId: string | undefined;
}

/** A name of an image: `reference` in full. */
export interface TagRow {
  readonly reference: string;
  readonly imageId: string;
}

/** A name of an image by digest: `repository` in full. */
export interface DigestRow {
  readonly repository: string;
  readonly digest: string;
  readonly imageId: string;
}

/** An unpacked layer. */
export interface LayerRecord {
  readonly storageKey: string;
  readonly diffId: string;
  readonly sizeBytes: number;
  readonly implied: readonly string[];
}

type ImageRow = {
  readonly id: string;
  readonly config: string;
  readonly manifest_digest: string;
  readonly manifest_media_type: string;
  readonly manifest_size_bytes: number;
  readonly size_bytes: number;
  readonly last_tagged_at_ms: number | null;
  readonly parent_id: string | null;
};

/** Synchronous reads; each sees every commit that has resolved. */
export interface Catalog {
  image(id: string): ImageRecord | undefined;
  images(): readonly ImageRecord[];
  /** The config's own bytes, as text. */
  configText(id: string): string | undefined;
  imageCount(): number;
  /** Ids of the images that have this one as their parent. */
  children(id: string): readonly string[];
  /** Whole ids that begin with `prefix` (`sha256:` included); two at most: is it the only one? */
  idsWithPrefix(prefix: string): readonly string[];
  imageOfTag(reference: string): string | undefined;
  imageOfDigest(repository: string, digest: string): string | undefined;
  /** Of one image, or of all. */
  tags(imageId?: string): readonly TagRow[];
  digests(imageId?: string): readonly DigestRow[];
  /** Storage keys, lowest first. */
  layerKeys(imageId: string): readonly string[];
  layer(storageKey: string): LayerRecord | undefined;
  /** The diffID that a blob is known to unpack to. */
  diffIdOf(blob: string): string | undefined;
  /** The blobs that are known to unpack to a diffID. */
  blobsOfLayer(diffId: string): readonly string[];
  /** Repositories, in full, that an image with this blob was pulled from or pushed to. */
  repositoriesWith(blob: string): readonly string[];
  blobs(imageId: string): readonly string[];
  /** The indexes that an image came by. */
  indexesOf(imageId: string): readonly Descriptor[];
  /** Ids of the images that came by an index. */
  imagesOfIndex(digest: string): readonly string[];
  /** Those of `digests` that an image has. */
  usedBlobs(digests: readonly string[]): ReadonlySet<string>;
  isLayerUsed(storageKey: string): boolean;
  allBlobs(): ReadonlySet<string>;
  allLayers(): ReadonlySet<string>;
}

/** Over the tables of `tables.ts`. */
export function openCatalog(store: Store): Catalog {
  const texts = (sql: string, ...params: string[]): readonly string[] =>
    store.rows<{ value: string }>(sql, ...params).map(({ value }) => value);
  const tagRows = (where: string, ...params: string[]): readonly TagRow[] =>
    store
      .rows<{ reference: string; image_id: string }>(
        `SELECT reference, image_id FROM image_tags ${where} ORDER BY reference`,
        ...params,
      )
      .map((row) => ({ reference: row.reference, imageId: row.image_id }));
  const digestRows = (where: string, ...params: string[]): readonly DigestRow[] =>
    store
      .rows<{ repository: string; digest: string; image_id: string }>(
        'SELECT repository, digest, image_id FROM image_digests ' +
          `${where} ORDER BY repository, digest`,
        ...params,
      )
      .map(({ repository, digest, image_id }) => ({ repository, digest, imageId: image_id }));

  return {
    image: (id) => store.rows<ImageRow>('SELECT * FROM images WHERE id = ?', id).map(toRecord)[0],
    images: () => store.rows<ImageRow>('SELECT * FROM images').map(toRecord),
    configText: (id) => texts('SELECT config AS value FROM images WHERE id = ?', id)[0],
    imageCount: () =>
      store.rows<{ value: number }>('SELECT count(*) AS value FROM images')[0]?.value ?? 0,
    idsWithPrefix: (prefix) =>
      texts(
        'SELECT id AS value FROM images WHERE id >= ? AND id < ? LIMIT 2',
        prefix,
        `${prefix}g`, // Beyond every hex digit.
      ),
    imageOfTag: (reference) =>
      texts('SELECT image_id AS value FROM image_tags WHERE reference = ?', reference)[0],
    imageOfDigest: (repository, digest) =>
      texts(
        'SELECT image_id AS value FROM image_digests WHERE repository = ? AND digest = ?',
        repository,
        digest,
      )[0],
    tags: (imageId) =>
      imageId === undefined ? tagRows('') : tagRows('WHERE image_id = ?', imageId),
    digests: (imageId) =>
      imageId === undefined ? digestRows('') : digestRows('WHERE image_id = ?', imageId),
    layerKeys: (imageId) =>
      texts(
        'SELECT storage_key AS value FROM image_layers WHERE image_id = ? ORDER BY position',
        imageId,
      ),
    layer: (storageKey) => readLayer(store, storageKey),
    diffIdOf: (blob) => texts('SELECT diff_id AS value FROM layer_blobs WHERE digest = ?', blob)[0],
    blobs: (imageId) =>
      texts('SELECT digest AS value FROM image_blobs WHERE image_id = ?', imageId),
    ...links(texts),
    indexesOf: (imageId) => readIndexes(store, imageId),
    imagesOfIndex: (digest) =>
      texts('SELECT image_id AS value FROM image_indexes WHERE digest = ?', digest),
    allBlobs: () => new Set(texts('SELECT DISTINCT digest AS value FROM image_blobs')),
    allLayers: () => new Set(texts('SELECT storage_key AS value FROM layers')),
  };
}

/** From parents, blobs and layers back to who has them. */
function links(
  texts: (sql: string, ...params: string[]) => readonly string[],
): Pick<Catalog, 'blobsOfLayer' | 'children' | 'isLayerUsed' | 'repositoriesWith' | 'usedBlobs'> {
  return {
    children: (id) => texts('SELECT id AS value FROM images WHERE parent_id = ?', id),
    blobsOfLayer: (diffId) =>
      texts('SELECT digest AS value FROM layer_blobs WHERE diff_id = ?', diffId),
    repositoriesWith: (blob) =>
      texts(
        'SELECT DISTINCT repository AS value FROM image_digests AS named ' +
          'JOIN image_blobs AS kept ON named.image_id = kept.image_id WHERE kept.digest = ?',
        blob,
      ),
    usedBlobs: (digests) => new Set(
      texts(
        'SELECT DISTINCT digest AS value FROM image_blobs WHERE digest IN ' +
          '(SELECT value FROM json_each(?))',
        JSON.stringify(digests),
      ),
    ),
    isLayerUsed: (storageKey) =>
      texts('SELECT image_id AS value FROM image_layers WHERE storage_key = ? LIMIT 1', storageKey)
        .length > 0,
  };
}

function readIndexes(store: Store, imageId: string): readonly Descriptor[] {
  return store
    .rows<{ digest: string; media_type: string; size_bytes: number }>(
      'SELECT digest, media_type, size_bytes FROM image_indexes WHERE image_id = ? ORDER BY digest',
      imageId,
    )
    .map(({ digest, media_type, size_bytes }) => ({
      mediaType: media_type,
      digest,
      size: size_bytes,
    }));
}

function readLayer(store: Store, storageKey: string): LayerRecord | undefined {
  const [row] = store.rows<{ diff_id: string; size_bytes: number; implied: string }>(
    'SELECT diff_id, size_bytes, implied FROM layers WHERE storage_key = ?',
    storageKey,
  );
  if (row === undefined) return undefined;
  const implied: unknown = JSON.parse(row.implied);
  return {
    storageKey,
    diffId: row.diff_id,
    sizeBytes: row.size_bytes,
    implied: Array.isArray(implied) ? implied.map(String) : [],
  };
}

/** How many parsed configurations are remembered, by id: that is the digest of their bytes. */
const maxParsed = 128;
const parsed = new Map<string, ImageConfig>();

function configOf({ id, config: text }: ImageRow): ImageConfig {
  return parsed.get(id) ?? remember(parsed, id, parseImageConfig(text), maxParsed);
}

function toRecord(row: ImageRow): ImageRecord {
  return {
    id: row.id,
    config: configOf(row),
    manifest: {
      mediaType: row.manifest_media_type,
      digest: row.manifest_digest,
      size: row.manifest_size_bytes,
    },
    sizeBytes: row.size_bytes,
    lastTaggedAtMs: row.last_tagged_at_ms ?? undefined,
    parentId: row.parent_id ?? undefined,
  };
}

/** An image with all that it refers to, ready to be kept. */
export interface NewImage {
  readonly id: string;
  readonly configText: string;
  readonly manifest: Descriptor;
  /** Lowest first, mending layers included. */
  readonly layers: readonly LayerRecord[];
  /** Layer blobs with what they unpack to. */
  readonly layerBlobs: readonly { readonly digest: string; readonly diffId: string }[];
  /** Forgotten when there is no such image any more. */
  readonly parentId?: string;
}

/** Statements; each is idempotent, so that a second pull of the same image changes nothing. */
export const changes = {
  addImage(image: NewImage): readonly Statement[] {
    const { id, manifest, layers, layerBlobs } = image;
    const sizeBytes = layers.reduce((sum, layer) => sum + layer.sizeBytes, 0);
    const blobs = new Set([manifest.digest, id, ...layerBlobs.map(({ digest }) => digest)]);
    return [
      {
        sql:
          'INSERT INTO images VALUES ' +
          '(?, ?, ?, ?, ?, ?, NULL, (SELECT id FROM images WHERE id = ?)) ' +
          'ON CONFLICT (id) DO UPDATE SET manifest_digest = excluded.manifest_digest, ' +
          'manifest_media_type = excluded.manifest_media_type, ' +
          'manifest_size_bytes = excluded.manifest_size_bytes, ' +
          'parent_id = coalesce(excluded.parent_id, parent_id)',
        params: [
          id,
          image.configText,
          manifest.digest,
          manifest.mediaType,
          manifest.size,
          sizeBytes,
          image.parentId ?? null,
        ],
      },
      ...layers.flatMap((layer, position) => addLayer(id, layer, position)),
      { sql: 'DELETE FROM image_blobs WHERE image_id = ?', params: [id] },
      ...[...blobs].map((digest) => ({
        sql: 'INSERT OR IGNORE INTO image_blobs VALUES (?, ?)',
        params: [id, digest],
      })),
      {
        sql:
          'INSERT OR IGNORE INTO image_blobs ' +
          'SELECT image_id, digest FROM image_indexes WHERE image_id = ?',
        params: [id],
      },
      ...layerBlobs.map(({ digest, diffId }) => ({
        sql: 'INSERT OR REPLACE INTO layer_blobs VALUES (?, ?)',
        params: [digest, diffId],
      })),
    ];
  },

  /** After `addImage`: the index is a blob of the image too. */
  addIndex: (imageId: string, { digest, mediaType, size }: Descriptor): readonly Statement[] => [
    {
      sql: 'INSERT OR REPLACE INTO image_indexes VALUES (?, ?, ?, ?)',
      params: [imageId, digest, mediaType, size],
    },
    { sql: 'INSERT OR IGNORE INTO image_blobs VALUES (?, ?)', params: [imageId, digest] },
  ],

  setTag: (reference: string, imageId: string): Statement => ({
    sql: 'INSERT OR REPLACE INTO image_tags VALUES (?, ?)',
    params: [reference, imageId],
  }),

  setDigest: (repository: string, digest: string, imageId: string): Statement => ({
    sql: 'INSERT OR REPLACE INTO image_digests VALUES (?, ?, ?)',
    params: [repository, digest, imageId],
  }),

  touchTagTime: (imageId: string, atMs: number): Statement => ({
    sql: 'UPDATE images SET last_tagged_at_ms = ? WHERE id = ?',
    params: [atMs, imageId],
  }),

  removeTag: (reference: string): Statement => ({
    sql: 'DELETE FROM image_tags WHERE reference = ?',
    params: [reference],
  }),

  removeDigest: (repository: string, digest: string): Statement => ({
    sql: 'DELETE FROM image_digests WHERE repository = ? AND digest = ?',
    params: [repository, digest],
  }),

  removeImage: (id: string): readonly Statement[] =>
    ['image_tags', 'image_digests', 'image_layers', 'image_blobs', 'image_indexes']
      .map((table): Statement => ({ sql: `DELETE FROM ${table} WHERE image_id = ?`, params: [id] }))
      .concat(
        { sql: 'UPDATE images SET parent_id = NULL WHERE parent_id = ?', params: [id] },
        { sql: 'DELETE FROM images WHERE id = ?', params: [id] },
      ),

  addLayerRow: ({ storageKey, diffId, sizeBytes, implied }: LayerRecord): Statement => ({
    sql: 'INSERT OR IGNORE INTO layers VALUES (?, ?, ?, ?)',
    params: [storageKey, diffId, sizeBytes, JSON.stringify(implied)],
  }),

  removeLayer: (storageKey: string): Statement => ({
    sql: 'DELETE FROM layers WHERE storage_key = ?',
    params: [storageKey],
  }),

  removeLayerBlob: (digest: string): Statement => ({
    sql: 'DELETE FROM layer_blobs WHERE digest = ?',
    params: [digest],
  }),
};

function addLayer(imageId: string, layer: LayerRecord, position: number): readonly Statement[] {
  return [
    changes.addLayerRow(layer),
    {
      sql: 'INSERT OR IGNORE INTO image_layers VALUES (?, ?, ?)',
      params: [imageId, position, layer.storageKey],
    },
  ];
}
