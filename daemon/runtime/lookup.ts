/** What a request leaves to be looked up: users in the image, device nodes on the host. */
import * as fs from 'node:fs';
import { invalidParameter, systemError } from '../../api-spec/errors.js';
import type { HostConfig } from '../../api-spec/index.js';
import { ErrnoError } from '../../native/errno-error.js';
import { isAbsent, readFileInLayers } from '../../native/inside.js';
import type { MountRecipe } from '../../storage-drivers/driver.js';
import type { ContainerRecord } from '../containers/record.js';
import type { OciDevice, OciDeviceRule } from './oci.js';
import { remember } from '../remember.js';
import { deviceAccess, ruleFor } from './spec/devices.js';
import { blockDevicePaths, type DeviceNumbers } from './spec/resources.js';
import { resolveUser, type ResolvedUser } from './spec/user.js';

/** Larger account files are an attack: they are refused, not cut. */
const MAX_ACCOUNT_BYTES = 1024 * 1024;

type OverlayRecipe = Extract<MountRecipe, { kind: 'overlay' }>;

/** Account files as text; empty when there is none. */
interface Accounts {
  readonly passwd: string;
  readonly group: string;
}

/** By the stack of layers, which never change: reading them costs a start a millisecond. */
const remembered = new Map<string, Accounts>();

/** Who the record's process runs as, by the files of its own layers. Throws `ApiError` 400. */
export function lookUpUser(record: ContainerRecord, recipe: MountRecipe): ResolvedUser {
  return resolveUser(
    { user: record.config.User ?? '', groupAdd: record.hostConfig.GroupAdd ?? [] },
    recipe.kind === 'bind' ? readAccounts([recipe.source]) : accountsOf(recipe),
  );
}

/** Of the layers alone while the container has written nothing. */
function accountsOf({ upperdir, lowerdirs }: OverlayRecipe): Accounts {
  if (fs.readdirSync(upperdir).length > 0) return readAccounts([upperdir, ...lowerdirs]);
  const key = lowerdirs.join(':');
  return remembered.get(key) ?? remember(remembered, key, readAccounts(lowerdirs));
}

function readAccounts(dirsTopFirst: readonly string[]): Accounts {
  return {
    passwd: accountFile(dirsTopFirst, '/etc/passwd'),
    group: accountFile(dirsTopFirst, '/etc/group'),
  };
}

function accountFile(dirs: readonly string[], path: string): string {
  try {
    return readFileInLayers(dirs, path, { maxBytes: MAX_ACCOUNT_BYTES }).toString('utf8');
  } catch (error) {
    if (isAbsent(error)) return '';
    if (!(error instanceof ErrnoError)) throw error;
    throw invalidParameter(`${path} of the image cannot be read: ${error.code}`, error);
  }
}

/** Nodes to make inside, and the rules that let them be used. */
export interface HostDevices {
  readonly devices: readonly OciDevice[];
  readonly rules: readonly OciDeviceRule[];
}

/**
 * `--device`, and all of the host's for a privileged container. Throws `ApiError` in Docker's
 * words.
 */
export async function lookUpDevices(hostConfig: HostConfig): Promise<HostDevices> {
  const all = hostConfig.Privileged === true;
  const devices: OciDevice[] = all ? await nodesBelow('/dev', '/dev') : [];
  const rules: OciDeviceRule[] = [];
  for (const mapping of hostConfig.Devices ?? []) {
    const source = mapping.PathOnHost ?? '';
    const inside = mapping.PathInContainer ?? '';
    const access = deviceAccess(mapping.CgroupPermissions);
    const found = await nodesAt(source, inside === '' ? source : inside);
    devices.push(...found);
    rules.push(...found.map((device) => ruleFor(device, access)));
  }
  return { devices, rules };
}

async function nodesAt(source: string, inside: string): Promise<OciDevice[]> {
  const noDevice = (cause?: unknown): Error =>
    systemError(`error gathering device information while adding custom device "${source}": ` +
      (cause === undefined ? 'not a device node' : 'no such file or directory'), cause);
  let stat: fs.Stats;
  try {
    stat = await fs.promises.stat(source);
  } catch (error) {
    throw noDevice(error);
  }
  if (stat.isDirectory()) return nodesBelow(source, inside);
  const device = deviceOf(stat, inside, source);
  if (device === undefined) throw noDevice();
  return [device];
}

/** Folders with nodes of other instances or of no device; the walk does not enter them. */
const skipped: ReadonlySet<string> = new Set([
  'pts', 'shm', 'fd', 'mqueue', 'console', '.lxc', '.lxd-mounts', '.udev',
]);
const MAX_DEPTH = 8;
const MAX_NODES = 4096;

async function nodesBelow(source: string, inside: string, depth = 0): Promise<OciDevice[]> {
  const nodes: OciDevice[] = [];
  if (depth > MAX_DEPTH) return nodes;
  for (const entry of await fs.promises.readdir(source, { withFileTypes: true })) {
    if (skipped.has(entry.name)) continue;
    const path = `${source}/${entry.name}`;
    const target = `${inside}/${entry.name}`;
    if (entry.isDirectory()) nodes.push(...(await nodesBelow(path, target, depth + 1)));
    else if (entry.isBlockDevice() || entry.isCharacterDevice()) {
      const device = deviceOf(await fs.promises.lstat(path), target, path);
      if (device !== undefined) nodes.push(device);
    }
    if (nodes.length > MAX_NODES) {
      throw systemError(`more than ${MAX_NODES} devices below ${source}`);
    }
  }
  return nodes;
}

/** The node that `path` is to be inside; undefined for what is no device. */
export function deviceOf(
  stat: fs.Stats,
  path: string,
  hostPath: string,
): OciDevice | undefined {
  if (!stat.isBlockDevice() && !stat.isCharacterDevice()) return undefined;
  const { major, minor } = numbersOf(stat.rdev);
  return {
    path, type: stat.isBlockDevice() ? 'b' : 'c', major, minor, fileMode: stat.mode & 0o7777,
    uid: stat.uid, gid: stat.gid,
    ...(hostPath === path ? {} : { hostPath }),
  };
}

/** As glibc's gnu_dev_major and gnu_dev_minor. */
function numbersOf(rdev: number): DeviceNumbers {
  const bits = BigInt(rdev);
  return {
    major: Number(((bits >> 8n) & 0xfffn) | ((bits >> 32n) & 0xfffff000n)),
    minor: Number((bits & 0xffn) | ((bits >> 12n) & 0xffffff00n)),
  };
}

/** The numbers of the block devices that limits name. */
export async function lookUpBlockDevices(
  hostConfig: HostConfig,
): Promise<ReadonlyMap<string, DeviceNumbers>> {
  const found = new Map<string, DeviceNumbers>();
  for (const path of blockDevicePaths(hostConfig)) {
    const stat = await fs.promises.stat(path).catch((error: unknown) => {
      throw invalidParameter(`stat ${path}: no such file or directory`, error);
    });
    if (!stat.isBlockDevice()) throw invalidParameter(`${path} is not a block device`);
    found.set(path, numbersOf(stat.rdev));
  }
  return found;
}
