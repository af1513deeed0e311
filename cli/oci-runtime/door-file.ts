/**
 * What `create` leaves of a container for the program that takes `state`, `start`, `kill` and
 * `delete` without Node (`native/oci-door/`). Its header has the same list of fields, which a test
 * holds against this one. It is written once, before the record names a process; who finds none, or
 * another version's, asks Node.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { CgroupPlaces } from '../../daemon/runtime/cgroup/index.js';
import { ByteWriter } from '../../native/launch/byte-writer.js';
import { stateDocument } from './state.js';
import { folderOf, type ContainerRecord } from './store.js';

/** The name of the file in the container's folder. */
export const DOOR_FILE = 'door';
/** What it begins with: another one for other fields. */
export const DOOR_MAGIC = 'tsdoor 1';

/** In the order of the file: a number is u64, a text u32 and its bytes and NUL, texts u32 texts. */
export const doorFields = {
  pid: 'number',
  pidStart: 'number',
  /** 1 or 0, as those that follow: without one there is nothing to start. */
  hasProcess: 'number',
  hasPoststart: 'number',
  hasPoststop: 'number',
  cgroupVersion: 'number',
  cgroupHome: 'text',
  cgroupFreezer: 'text',
  cgroupFolders: 'texts',
  /** The state document up to the status, which a quotation mark and, of a live one, pid follow. */
  stateHead: 'text',
  stateTail: 'text',
} as const;

interface Kinds {
  readonly number: bigint;
  readonly text: string;
  readonly texts: readonly string[];
}

/** The fields' values. */
export type Door = {
  readonly [Name in keyof typeof doorFields]: Kinds[(typeof doorFields)[Name]];
};

const MAX_BYTES = 1024 * 1024;
const FIRST_BYTES = 4096;

/** A record that names a process. Pure. */
export function doorOf(
  record: ContainerRecord,
  version: 1 | 2,
  { folders, home, freezer }: CgroupPlaces,
): Door {
  const text = `${JSON.stringify(stateDocument(record, 'stopped'), null, 2)}\n`;
  // Quotation marks in values have a backslash before them: these are the member's.
  const [status, end] = ['"status": "', 'stopped"'];
  const at = text.indexOf(`${status}${end}`) + status.length;
  const flag = (is: boolean): bigint => (is ? 1n : 0n);
  return {
    pid: BigInt(record.pid ?? 0),
    pidStart: BigInt(record.pidStart ?? 0),
    hasProcess: flag(record.command !== ''),
    hasPoststart: flag(record.hooks.poststart.length > 0),
    // A scope, too, is ended by Node.
    hasPoststop: flag(record.hooks.poststop.length > 0 || record.isScope === true),
    cgroupVersion: BigInt(version),
    cgroupHome: home,
    cgroupFreezer: freezer,
    cgroupFolders: folders,
    stateHead: text.slice(0, at),
    stateTail: text.slice(at + end.length),
  };
}

/** Pure; throws `RangeError` for more than a megabyte. */
export function encodeDoor(door: Door): Buffer {
  const writer = new ByteWriter(FIRST_BYTES, MAX_BYTES);
  const write: { [Kind in keyof Kinds]: (value: Kinds[Kind]) => void } = {
    number: (value) => writer.u64(value),
    text: (value) => writer.text(value),
    texts: (value) => {
      writer.u32(value.length);
      for (const each of value) writer.text(each);
    },
  };
  for (const [name, kind] of Object.entries(doorFields)) {
    // `Door` gives each name the value of its kind.
    (write[kind] as (value: unknown) => void)(door[name as keyof Door]);
  }
  return Buffer.concat([Buffer.from(DOOR_MAGIC), writer.bytes()]);
}

/** For a record that names a process; one that is too large has no such file. */
export function writeDoor(root: string, record: ContainerRecord, door: Door): void {
  let bytes: Buffer;
  try {
    bytes = encodeDoor(door);
  } catch (error) {
    if (error instanceof RangeError) return;
    throw error;
  }
  fs.writeFileSync(join(folderOf(root, record.id), DOOR_FILE), bytes, { mode: 0o600 });
}
