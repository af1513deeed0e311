/**
 * Single paths and trees in and out of a container's root, by `tsdocker-unpack`: it enters the root
 * and resolves every name there, whatever the container renames meanwhile, and executes nothing of
 * it. Compression is undone before it enters. Errors as in `index.ts`; `ErrnoError` ENOENT, ENOTDIR
 * and ELOOP are about the path that was asked for.
 */
import type { Readable } from 'node:stream';
import { ErrnoError } from '../errno-error.js';
import type { IdMapping, IdMappings } from '../id-maps.js';
import { lowerOnlyData, type LowerParts, overlayData, type OverlayParts } from '../overlay.js';
import { defaultUnpackLimits, type TreeOptions } from './bounds.js';
import { type ProgramCall, runProgram, type Source, streamProgram } from './program.js';

/** Where to look: in a running container's own root, or in one that is put together for it. */
export type ContainerRoot =
  | {
      readonly kind: 'live';
      readonly fd: number;
      /** Of its user namespace: archives have the ids that it sees itself. */
      readonly idMaps?: IdMappings;
    }
  | {
      readonly kind: 'detached';
      readonly rootfs:
        | ({ readonly kind: 'overlay' } & OverlayParts)
        | { readonly kind: 'bind'; readonly source: string };
      /** Parents before what lies in them. */
      readonly mounts: readonly DetachedMount[];
      /**
       * Keeps what is written, which takes that nobody else has mounted the container's folder. A
       * `bind` always does.
       */
      readonly writable: boolean;
      readonly readonlyRoot: boolean;
    };

/** A folder or file of the host, or layers of an image, in its place in the container. */
export type DetachedMount = {
  /** What of the source, resolved within it. */
  readonly subpath?: string;
  readonly destination: string;
} & (
  | {
      readonly source: string;
      readonly readonly: boolean;
      readonly recursiveReadonly: boolean;
      readonly recursive: boolean;
    }
  /** Their short names are in the folder of the rootfs's. */
  | { readonly stack: LowerParts }
);

/** What is at a path; links are not followed. */
export interface FileStat {
  /** The kernel's, with the kind of file. */
  readonly mode: number;
  readonly sizeBytes: number;
  /** Nanoseconds since the epoch. */
  readonly mtimeNs: bigint;
  /** Where a link leads in the end, as a path inside the root; empty for all others. */
  readonly linkTarget: string;
}

/** Into which folder, and how. */
export interface PutOptions extends TreeOptions {
  readonly path: string;
  /** A tar: plain, gzip, bzip2, xz or zstd. */
  readonly source: Source;
  /** Refuses to put a folder in place of something else, and the other way round. */
  readonly keepKind: boolean;
  /** Owner of everything, instead of what the archive says. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/** As long as a client keeps a copy going: it is ended by the signal. */
const COPY_TIMEOUT_MS = 12 * 3600_000;
const STAT_TIMEOUT_MS = 60_000;
/** A copy may be larger than a layer; what bounds it is the disk. */
const MAX_COPY_BYTES = 2 ** 43;
/** The stat in front of an archive holds a path of at most 4 kB. */
const MAX_STAT_BYTES = 8192;

/** What is at `path`: absolute, without `.` and `..` but a last `/.`. */
export async function statInContainer(
  root: ContainerRoot,
  path: string,
  options: TreeOptions = {},
): Promise<FileStat> {
  const call = fetchCall(root, path, options);
  const stream = streamProgram({
    ...call,
    settings: { ...call.settings, onlyStat: 1 },
    timeoutMs: options.timeoutMs ?? STAT_TIMEOUT_MS,
  });
  try {
    return (await readStat(stream)).stat;
  } finally {
    stream.destroy();
  }
}

/**
 * The same with everything below it as a tar, whose names begin with `as` instead of the path. The
 * fd of a live root may be closed once this resolves; the caller destroys a tar that it leaves.
 */
export async function fetchFromContainer(
  root: ContainerRoot,
  path: string,
  { as, ...options }: TreeOptions & { readonly as: string },
): Promise<{ readonly stat: FileStat; readonly tar: Readable }> {
  const call = fetchCall(root, path, options);
  return readStat(streamProgram({ ...call, settings: { ...call.settings, as } }));
}

/** Unpacks into a folder. What was put before a failure stays. */
export async function putIntoContainer(root: ContainerRoot, options: PutOptions): Promise<void> {
  const { path, source, keepKind, owner, signal, timeoutMs = COPY_TIMEOUT_MS } = options;
  const { settings, operands, rootFd } = rootCall(root);
  await runProgram({
    command: 'put',
    settings: {
      ...settings,
      ...defaultUnpackLimits,
      maxBytes: MAX_COPY_BYTES,
      path,
      keepKind: keepKind ? 1 : 0,
      ...(owner === undefined ? {} : { chown: 1, uid: owner.uid, gid: owner.gid }),
    },
    operands,
    source,
    signal,
    timeoutMs,
    ...(rootFd === undefined ? {} : { rootFd }),
  });
}

function fetchCall(root: ContainerRoot, path: string, options: TreeOptions): ProgramCall {
  const { signal, timeoutMs = COPY_TIMEOUT_MS } = options;
  const { settings, ...rest } = rootCall(root);
  return { command: 'fetch', settings: { ...settings, path }, ...rest, signal, timeoutMs };
}

interface RootCall {
  readonly settings: ProgramCall['settings'];
  readonly operands: readonly string[];
  readonly rootFd?: number;
}

/** How the program is told of a root: an fd, or what to mount. */
function rootCall(root: ContainerRoot): RootCall {
  const target = '/'; // It has no other.
  if (root.kind === 'live') {
    const settings = { target, live: 1, ...mapSettings(root.idMaps) };
    return { settings, operands: [], rootFd: root.fd };
  }
  const { rootfs, mounts, writable, readonlyRoot } = root;
  const flags = { writable: writable ? 1 : 0, readonlyRoot: readonlyRoot ? 1 : 0 };
  const data =
    rootfs.kind === 'bind' ? '' : writable ? overlayData(rootfs) : lowerOnlyData(rootfs);
  const base = rootfs.kind === 'bind' ? rootfs.source : rootfs.shortNames.dir;
  const places = mounts.flatMap((mount) => [
    mount.destination, 'stack' in mount ? overlayData(mount.stack) : mount.source, letters(mount),
  ]);
  return { settings: { target, ...flags }, operands: [rootfs.kind, base, data, ...places] };
}

/** As in ids.c. */
function mapSettings(maps: IdMappings | undefined): ProgramCall['settings'] {
  if (maps === undefined) return {};
  const text = (ranges: readonly IdMapping[]): string =>
    ranges.map(({ containerID, hostID, size }) => `${containerID}:${hostID}:${size}`).join(',');
  return { uids: text(maps.uidMappings), gids: text(maps.gidMappings) };
}

/** As in view.c. */
function letters(mount: DetachedMount): string {
  const part = mount.subpath === undefined ? '' : `:${mount.subpath}`;
  if ('stack' in mount) return `or${part}`;
  const { recursive, readonly, recursiveReadonly } = mount;
  const below = readonly && recursiveReadonly ? 'R' : '';
  return `${recursive ? 'b' : ''}${readonly ? 'r' : ''}${below}${part}`;
}

/** What comes up to the NUL; the rest is the archive. */
async function readStat(
  stream: Readable,
): Promise<{ readonly stat: FileStat; readonly tar: Readable }> {
  const chunks: Buffer[] = [];
  let length = 0;
  for (;;) {
    const chunk = await nextChunk(stream);
    if (chunk === undefined) throw new ErrnoError('read', 'EIO', 'tsdocker-unpack fetch');
    const end = chunk.indexOf(0);
    chunks.push(end < 0 ? chunk : chunk.subarray(0, end));
    length += chunk.length;
    if (end >= 0) {
      const rest = chunk.subarray(end + 1);
      if (rest.length > 0) stream.unshift(rest);
      return { stat: parseStat(Buffer.concat(chunks).toString('utf8')), tar: stream };
    }
    if (length > MAX_STAT_BYTES) throw new ErrnoError('read', 'EFBIG', 'tsdocker-unpack fetch');
  }
}

/** Undefined at the end; rejects with the error that ended it. */
function nextChunk(stream: Readable): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      stream.off('readable', look).off('error', fail).off('end', over);
    };
    const look = (): void => {
      // Without an encoding, read() gives a Buffer.
      const chunk = stream.read() as Buffer | null;
      if (chunk === null) return;
      done();
      resolve(chunk);
    };
    const fail = (error: Error): void => {
      done();
      reject(error);
    };
    const over = (): void => {
      done();
      resolve(undefined);
    };
    stream.on('readable', look).once('error', fail).once('end', over);
    look();
  });
}

function parseStat(text: string): FileStat {
  const found = /^([0-7]+) (\d+) (-?\d+) (\d+) ([\s\S]*)$/.exec(text);
  if (found === null) throw new ErrnoError('read', 'EINVAL', 'tsdocker-unpack fetch');
  const [, mode = '', size = '', seconds = '', nanoseconds = '', linkTarget = ''] = found;
  return {
    mode: Number.parseInt(mode, 8),
    sizeBytes: Number(size),
    mtimeNs: BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds),
    linkTarget,
  };
}
