/** What a user asks for in `Mounts`, in one form with what `Binds` and `Tmpfs` say. Pure. */
import { posix } from 'node:path';
import type { Mount } from '../../api-spec/index.js';
import { invalidParameter } from '../../api-spec/errors.js';

/** One mount, checked; nothing on the host has been looked at yet. */
export type MountSpec = BindSpec | VolumeSpec | ImageSpec | TmpfsSpec;

/**
 * A path of the host, absolute and clean; whether it exists is looked at when the container starts.
 */
export interface BindSpec {
  readonly type: 'bind';
  readonly source: string;
  readonly destination: string;
  readonly readonly: boolean;
  /** As the user wrote it behind the second colon. */
  readonly mode: string;
  readonly propagation: string;
  readonly recursive: boolean;
  readonly recursiveReadonly: boolean;
  /** A missing source is made (`-v`) or refused (`--mount`). */
  readonly create: boolean;
}

/** A volume, to be made if there is none of its name. */
export interface VolumeSpec {
  readonly type: 'volume';
  /** Empty for an anonymous one. */
  readonly name: string;
  readonly destination: string;
  readonly readonly: boolean;
  readonly mode: string;
  /** Whether an empty volume takes what the image has there. */
  readonly copy: boolean;
  /** A folder or file in the volume, in place of its root; empty for none. */
  readonly subpath: string;
  readonly driver: string;
  readonly driverOptions: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

/** What an image holds, to be read only. */
export interface ImageSpec {
  readonly type: 'image';
  /** As the user named it. */
  readonly reference: string;
  readonly destination: string;
  /** A folder or file in the image, in place of its root; empty for none. */
  readonly subpath: string;
}

/** Memory that goes with the container; `options` are checked words of mount(8). */
export interface TmpfsSpec {
  readonly type: 'tmpfs';
  readonly destination: string;
  readonly readonly: boolean;
  readonly options: readonly string[];
}

/** Values of `Propagation`, and words for it in a mode. */
export const propagations: ReadonlySet<string> = new Set([
  'private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave',
]);

/** Checks one entry of `HostConfig.Mounts`; throws 400 in Docker's words. */
export function mountSpec(mount: Mount): MountSpec {
  const type = mount.Type ?? '';
  switch (type) {
    case 'bind':
      return bindOf(mount);
    case 'volume':
      return volumeOf(mount);
    case 'image':
      return imageOf(mount);
    case 'tmpfs':
      return tmpfsOf(mount);
    default:
      targetOf(mount);
      throw wrong(type, 'mount type unknown');
  }
}

/** A destination in the container: absolute, cleaned, not the root itself. */
export function cleanDestination(path: string, refuse: (why: string) => Error): string {
  if (!path.startsWith('/') || path.includes('\0')) {
    throw refuse(`invalid mount path: '${path}' mount path must be absolute`);
  }
  const clean = posix.normalize(path).replace(/(.)\/$/, '$1');
  if (clean === '/') throw refuse("invalid specification: destination can't be '/'");
  return clean;
}

/** A 400 about one mount. */
export function wrong(type: string, why: string): Error {
  return invalidParameter(`invalid mount config for type "${type}": ${why}`);
}

function targetOf(mount: Mount): string {
  const type = mount.Type ?? '';
  if ((mount.Target ?? '') === '') throw wrong(type, 'field Target must not be empty');
  return cleanDestination(mount.Target ?? '', (why) => wrong(type, why));
}

type OptionField = 'BindOptions' | 'VolumeOptions' | 'TmpfsOptions' | 'ImageOptions';

function refuseOptions(mount: Mount, ...fields: readonly OptionField[]): void {
  for (const field of fields) {
    if (mount[field] !== undefined) {
      throw invalidParameter(`${field} must not be specified on mount type "${mount.Type ?? ''}"`);
    }
  }
}

function bindOf(mount: Mount): BindSpec {
  refuseOptions(mount, 'VolumeOptions', 'TmpfsOptions', 'ImageOptions');
  const destination = targetOf(mount);
  const source = mount.Source ?? '';
  if (source === '') throw wrong('bind', 'field Source must not be empty');
  const options = mount.BindOptions ?? {};
  const propagation = options.Propagation ?? '';
  if (propagation !== '' && !propagations.has(propagation)) {
    throw wrong('bind', `invalid propagation mode: ${propagation}`);
  }
  const readonly = mount.ReadOnly ?? false;
  return {
    type: 'bind',
    source: cleanSource(source),
    destination,
    readonly,
    mode: '',
    propagation: propagation === '' ? 'rprivate' : propagation,
    recursive: !(options.NonRecursive ?? false),
    recursiveReadonly: readonly && !(options.ReadOnlyNonRecursive ?? false),
    create: options.CreateMountpoint ?? false,
  };
}

/** A folder or file of the host, absolute and cleaned. */
export function cleanSource(source: string): string {
  if (!source.startsWith('/') || source.includes('\0')) {
    throw wrong('bind', `invalid mount path: '${source}' mount path must be absolute`);
  }
  return posix.normalize(source).replace(/(.)\/$/, '$1');
}

function volumeOf(mount: Mount): VolumeSpec {
  refuseOptions(mount, 'BindOptions', 'TmpfsOptions', 'ImageOptions');
  const destination = targetOf(mount);
  const options = mount.VolumeOptions ?? {};
  const name = mount.Source ?? '';
  const readonly = mount.ReadOnly ?? false;
  if (name === '' && readonly) {
    throw wrong('volume', 'must not set ReadOnly mode when using anonymous volumes');
  }
  const subpath = cleanSubpath('volume', options.Subpath);
  if (name === '' && subpath !== '') {
    throw wrong('volume', 'must not set Subpath when using anonymous volumes');
  }
  return {
    type: 'volume',
    name,
    destination,
    readonly,
    mode: 'z',
    // What the image has there is of the whole volume's root, as Docker takes it.
    copy: !(options.NoCopy ?? false) && subpath === '',
    subpath,
    driver: options.DriverConfig?.Name ?? '',
    driverOptions: options.DriverConfig?.Options ?? {},
    labels: options.Labels ?? {},
  };
}

/** It is opened by fd when it is mounted, as other containers may swap what lies there. */
function cleanSubpath(type: string, subpath = ''): string {
  if (subpath === '') return '';
  const clean = posix.normalize(subpath).replace(/\/$/, '');
  if (clean.startsWith('/') || clean === '..' || clean.startsWith('../')) {
    throw wrong(type, 'subpath must be a relative path within the volume');
  }
  return clean === '.' ? '' : clean;
}

function imageOf(mount: Mount): ImageSpec {
  refuseOptions(mount, 'BindOptions', 'VolumeOptions', 'TmpfsOptions');
  const destination = targetOf(mount);
  const reference = mount.Source ?? '';
  if (reference === '') throw wrong('image', 'field Source must not be empty');
  const subpath = cleanSubpath('image', mount.ImageOptions?.Subpath);
  return { type: 'image', reference, destination, subpath };
}

function tmpfsOf(mount: Mount): TmpfsSpec {
  refuseOptions(mount, 'BindOptions', 'VolumeOptions', 'ImageOptions');
  const destination = targetOf(mount);
  if ((mount.Source ?? '') !== '') throw wrong('tmpfs', 'field Source must not be specified');
  const { SizeBytes = 0, Mode = 0, Options = [] } = mount.TmpfsOptions ?? {};
  if (SizeBytes < 0) throw wrong('tmpfs', 'must not have a negative size');
  const readonly = mount.ReadOnly ?? false;
  return {
    type: 'tmpfs',
    destination,
    readonly,
    options: [
      ...(readonly ? ['ro'] : []),
      ...(SizeBytes > 0 ? [`size=${SizeBytes}`] : []),
      ...(Mode > 0 ? [`mode=${Mode.toString(8)}`] : []),
      ...checkTmpfsOptions(Options.map((pair) => pair.join('='))),
    ],
  };
}

const tmpfsWords: ReadonlySet<string> = new Set([
  'ro', 'rw', 'suid', 'nosuid', 'dev', 'nodev', 'exec', 'noexec', 'sync', 'async', 'remount',
  'dirsync', 'mand', 'nomand', 'atime', 'noatime', 'diratime', 'nodiratime', 'bind', 'rbind',
  'private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave', 'relatime', 'norelatime',
  'strictatime', 'nostrictatime', 'defaults', 'unbindable', 'runbindable',
]);
const tmpfsKeys: ReadonlySet<string> = new Set([
  'size', 'mode', 'uid', 'gid', 'nr_inodes', 'nr_blocks', 'mpol',
]);

/** Words and `key=value`s that a tmpfs takes, as they are; throws 400 for another. */
export function checkTmpfsOptions(options: readonly string[]): readonly string[] {
  const kept = options.filter((option) => option !== '');
  const unknown = kept.find((option) => {
    const [key = '', value] = option.split('=', 2);
    return value === undefined ? !tmpfsWords.has(key) : !tmpfsKeys.has(key);
  });
  if (unknown !== undefined) {
    const [key = '', value] = unknown.split('=', 2);
    const told = value === undefined ? `["${key}"]` : `"${key}"`;
    throw invalidParameter(`invalid tmpfs option ${told}`);
  }
  return kept.filter((option) => option !== 'defaults');
}
