/**
 * Volumes of the `local` driver: a folder each, or something mounted there (`type`, `device`, `o`).
 * Such a mount is the one thing that the engine mounts in the host's view; it is made when the
 * first container needs it, and stays until no container refers to the volume.
 *
 *     <root>/<name>/_data       the content: what containers see
 *     <root>/<name>/_copy       being filled from an image, until it becomes `_data`
 *     <root>/.trash-<random>/   being removed
 */
import { randomBytes } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { mkdir, open, readdir, readFile, rename, rmdir } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { invalidParameter, notFound, systemError } from '../../api-spec/errors.js';
import { ErrnoError, hasCode } from '../../native/errno-error.js';
import { mount, mountFlags, unmount } from '../../native/mount.js';
import { removeTree } from '../../native/unpack/index.js';

/**
 * A file server that does not answer is given up; its thread comes back when the kernel gives up.
 */
const MOUNT_TIMEOUT_MS = 60_000;
const TRASH = '.trash-';

/** Of the driver `local`: `type`, `device` and `o` as mount(8) takes them, or none at all. */
export type VolumeOptions = Readonly<Record<string, string>>;

/** Refuses (404) a driver that is not there, and (400) options that `local` cannot honour. */
export function checkDriver(name: string, driver: string, options: VolumeOptions): void {
  if (driver !== '' && driver !== 'local') {
    throw notFound(
      `create ${name}: error looking up volume plugin ${driver}: plugin "${driver}" not found`,
    );
  }
  const known = new Set(['type', 'device', 'o', 'size']);
  const unknown = Object.keys(options).find((key) => !known.has(key));
  if (unknown !== undefined) throw invalidParameter(`create ${name}: invalid option: "${unknown}"`);
  if (options['size'] !== undefined) {
    throw invalidParameter(`create ${name}: quota size requested but no quota support`);
  }
  const given = Object.keys(options).length > 0;
  for (const required of given ? ['device', 'type'] : []) {
    if ((options[required] ?? '') === '') {
      throw invalidParameter(`create ${name}: missing required option: "${required}"`);
    }
  }
  if (Object.values(options).some((value) => value.includes('\0'))) {
    throw invalidParameter(`create ${name}: invalid option`);
  }
}

/** Folders that hold volumes, by name; records are somebody else's. */
export interface LocalVolumes {
  /** Where the content of a volume is, or will be. */
  mountpoint(name: string): string;
  /** Makes what is missing of its folders; what is there stays as it is. */
  make(name: string): Promise<void>;
  /** Mounts what the options say, unless it is mounted. */
  attach(name: string, options: VolumeOptions): Promise<void>;
  /** Unmounts it if it is mounted. */
  detach(name: string): Promise<void>;
  /** The name is free when it resolves; bytes go in the background. Absent is success. */
  remove(name: string): Promise<void>;
  /** Names of folders that are there, whoever made them; empties the trash meanwhile. */
  found(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Opens the folder that holds all volumes. */
export async function openLocalVolumes(root: string): Promise<LocalVolumes> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  const removals = new Set<Promise<void>>();
  const stopping = new AbortController();
  const removeLater = (path: string): void => {
    const removal = removeTree(path, { signal: stopping.signal })
      // It stays in the trash and is tried again at the next start.
      .catch(() => undefined)
      .finally(() => removals.delete(removal));
    removals.add(removal);
  };
  const mountpoint = (name: string): string => join(root, name, '_data');
  const detach = async (name: string): Promise<void> => {
    if (await isMounted(mountpoint(name))) await unmount(mountpoint(name));
  };

  return {
    mountpoint,
    async make(name) {
      await mkdir(join(root, name), { recursive: true, mode: 0o700 });
      await mkdir(mountpoint(name), { recursive: true, mode: 0o755 });
      for (const folder of [join(root, name), root]) await syncFolder(folder);
    },
    async attach(name, options) {
      if (options['type'] === undefined || (await isMounted(mountpoint(name)))) return;
      await mountOptions(mountpoint(name), options);
    },
    detach,
    async remove(name) {
      await detach(name);
      const trash = join(root, `${TRASH}${randomBytes(12).toString('hex')}`);
      if (await renamedIfThere(join(root, name), trash)) removeLater(trash);
    },
    async found() {
      const names = await readdir(root);
      for (const name of names) if (name.startsWith(TRASH)) removeLater(join(root, name));
      return names.filter((name) => !name.startsWith(TRASH));
    },
    async close() {
      stopping.abort();
      await Promise.all(removals);
    },
  };
}

/** Removes a folder that holds no data; says whether it could. */
export async function removeIfEmpty(root: string, name: string): Promise<boolean> {
  try {
    await rmdir(join(root, name, '_data')).catch(ignore('ENOENT'));
    await rmdir(join(root, name));
    return true;
  } catch (error) {
    ignore('ENOTEMPTY', 'ENOTDIR', 'EBUSY')(error);
    return false;
  }
}

/** `mountinfo` writes blanks and backslashes of a path in octal. */
async function isMounted(path: string): Promise<boolean> {
  const octal = (c: string): string => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`;
  const escaped = path.replace(/[\s\\]/g, octal);
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  return lines.some((line) => line.split(' ', 5)[4] === escaped);
}

async function mountOptions(target: string, options: VolumeOptions): Promise<void> {
  const { type = '', device = '', o = '' } = options;
  const words = o.split(',').filter((word) => word !== '');
  const flags = words.reduce((sum, word) => sum | flagOf(word), 0);
  const own = words.filter((word) => flagOf(word) === 0 && !neutral.has(word));
  const call = {
    source: device,
    target,
    type: type === 'none' ? '' : type,
    flags,
    options: (await withAddress(type, own)).join(','),
  };
  try {
    await within(mount(call), MOUNT_TIMEOUT_MS);
    if ((flags & mountFlags.bind) !== 0 && (flags & ~mountFlags.rbind) !== 0) {
      // A bind takes no other flag at first; the second call gives it its own.
      await within(mount({ ...call, flags: flags | mountFlags.remount }), MOUNT_TIMEOUT_MS);
    }
  } catch (error) {
    const why = error instanceof ErrnoError ? error.code : String(error);
    throw systemError(
      `error while mounting volume '${target}': failed to mount local volume: ` +
        `mount ${device}:${target}: ${why}`,
      error,
    );
  }
}

const neutral: ReadonlySet<string> = new Set(['rw', 'defaults', 'suid', 'dev', 'exec', 'async']);

function flagOf(word: string): number {
  const flags: Readonly<Record<string, number>> = mountFlags;
  return Object.hasOwn(flags, word) && word !== 'remount' ? (flags[word] ?? 0) : 0;
}

/** NFS and CIFS know numbers only: mount(8)'s helpers resolve names, the system call does not. */
async function withAddress(type: string, words: readonly string[]): Promise<readonly string[]> {
  if (!type.startsWith('nfs') && type !== 'cifs') return words;
  const resolved: string[] = [];
  for (const word of words) {
    const host = /^addr=(.+)$/.exec(word)?.[1];
    const named = host !== undefined && isIP(host) === 0;
    resolved.push(named ? `addr=${(await within(lookup(host), MOUNT_TIMEOUT_MS)).address}` : word);
  }
  return resolved;
}

async function within<Result>(work: Promise<Result>, timeoutMs: number): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ErrnoError('mount', 'ETIMEDOUT')), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function renamedIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    ignore('ENOENT')(error);
    return false;
  }
}

/** Lets errors with these codes pass, and throws others. */
function ignore(...codes: readonly string[]): (error: unknown) => void {
  return (error) => {
    if (!hasCode(error, ...codes)) throw error;
  };
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
