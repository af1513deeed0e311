/** Tar archives in TypeScript, for what is small or not hot; layers go through `native/unpack`. */
export {
  compressed,
  compressionOf,
  decompressed,
  distributable,
  expanded,
  hasMediaType,
  magicBytes,
  type Compression,
} from './compression.js';
export { linkTarget, safeEntryName } from './entry-name.js';
export { readTar, type ArchiveEntry } from './read-tar.js';
export { tarEnd, tarHeader, tarPadding, type TarEntry } from './write-tar.js';
export { blockBytes, isTarHeader } from './tar-header.js';
