/** The devices that the host's CDI files describe, read anew whenever somebody asks. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../../../native/errno-error.js';
import { type CdiEdits, type CdiFile, parseCdiFile } from './spec-file.js';

/** A file of a large machine is a hundred kilobytes. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
const MAX_FILES = 256;

/** A device with what all devices of its file have. */
export interface CdiDevice {
  /** Where it is described. */
  readonly file: string;
  readonly shared: CdiEdits;
  readonly own: CdiEdits;
}

/** What was found. */
export interface CdiRegistry {
  /** By `vendor.com/class=name`. */
  readonly devices: ReadonlyMap<string, CdiDevice>;
  /** Files that were passed over, and why, a sentence each. */
  readonly problems: readonly string[];
}

/**
 * Reads all `.json` and `.yaml` files of `dirs`; a device in a later folder hides one of the same
 * name in an earlier, and two in the same folder hide each other. A folder may be missing.
 */
export function readCdiDevices(dirs: readonly string[]): CdiRegistry {
  const devices = new Map<string, CdiDevice>();
  const problems: string[] = [];
  const tell = (problem: string): void => void problems.push(problem);
  for (const dir of dirs) {
    const found = filesOf(dir).flatMap((file) => devicesOf(file, tell));
    const seen = new Set<string>();
    const twice = new Set<string>();
    for (const [name, device] of found) {
      if (seen.has(name)) twice.add(name);
      seen.add(name);
      devices.set(name, device);
    }
    for (const name of twice) {
      devices.delete(name);
      tell(`CDI device ${name} is described twice in ${dir}`);
    }
  }
  return { devices, problems };
}

function filesOf(dir: string): readonly string[] {
  try {
    return readdirSync(dir)
      .filter((name) => /\.(?:json|yaml)$/.test(name))
      .sort()
      .slice(0, MAX_FILES)
      .map((name) => join(dir, name));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

function devicesOf(
  file: string,
  tell: (problem: string) => void,
): readonly (readonly [string, CdiDevice])[] {
  try {
    const { kind, edits: shared, devices } = readFile(file);
    return [...devices].map(([name, own]) => [`${kind}=${name}`, { file, shared, own }]);
  } catch (error) {
    tell(`CDI file ${file}: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
}

function readFile(file: string): CdiFile {
  if (statSync(file).size > MAX_FILE_BYTES) throw new RangeError('it is too large');
  return parseCdiFile(readFileSync(file, 'utf8'), file.endsWith('.json'));
}
