/**
 * The files of one log, oldest first: `path.4.gz` … `path.1`, `path`, while they are rotated and
 * compressed. They are opened without a turn of the loop in between: a container that writes at
 * full speed rotates its log many times in a second.
 */
import { openSync, readdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { hasCode } from '../../native/errno-error.js';
import { packedAbout, unpacked } from './packed.js';
import { TextFile } from './text-file.js';

/** More files than anybody keeps; a bound on the search. */
const maxRotated = 2000;
/** A log that is rotated faster than its files can be opened is taken as it was seen last. */
const maxTries = 20;

/** What distinguishes a log file from all others, also once it has been compressed. */
export interface FileIdentity {
  readonly inode: bigint;
  readonly birthNs: bigint;
}

/** One open file of a log. The descriptor stays right when the file is renamed or removed. */
export class LogFile {
  readonly #folder: string;
  #unpacked: Promise<TextFile> | undefined;

  constructor(
    readonly file: TextFile,
    readonly identity: FileIdentity,
    readonly about: {
      readonly path: string;
      /** Of its text, as it was when it was opened; unknown for a foreign compressed file. */
      readonly sizeBytes: number;
      /** When something was written to it last. */
      readonly modifiedMs: number;
      readonly isPacked: boolean;
    },
  ) {
    this.#folder = dirname(about.path);
  }

  get sizeBytes(): number {
    return this.about.sizeBytes;
  }

  is({ inode, birthNs }: FileIdentity): boolean {
    return inode === this.identity.inode && birthNs === this.identity.birthNs;
  }

  /** Its text; a compressed file is unpacked at the first call. Not the caller's to close. */
  text(): Promise<TextFile> {
    if (!this.about.isPacked) return Promise.resolve(this.file);
    this.#unpacked ??= unpacked(this.file, this.#folder);
    return this.#unpacked;
  }

  /** Also in the midst of a read, which goes on. */
  close(): void {
    this.file.close();
    this.#unpacked?.then(
      (text) => text.close(),
      () => undefined, // who waits for the text is told
    );
  }
}

/** Undefined when there is no such file. */
function openOne(path: string, isPacked: boolean): LogFile | undefined {
  const fd = unlessAbsent(() => openSync(path, 'r'));
  if (fd === undefined) return undefined;
  const file = new TextFile(fd);
  const { ino, birthtimeNs, size, mtimeMs } = file.stat();
  const packed = isPacked ? packedAbout(file) : undefined;
  const identity = packed ?? { inode: ino, birthNs: birthtimeNs };
  const sizeBytes = packed?.sizeBytes ?? (isPacked ? Number.MAX_SAFE_INTEGER : Number(size));
  return new LogFile(file, identity, { path, sizeBytes, modifiedMs: Number(mtimeMs), isPacked });
}

function unlessAbsent<Result>(act: () => Result): Result | undefined {
  try {
    return act();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** The file that is being written; undefined when there is none. */
export function openCurrent(path: string): LogFile | undefined {
  return openOne(path, false);
}

/** Closes all of them. */
export function closeLogFiles(files: Iterable<LogFile>): void {
  for (const file of files) file.close();
}

/** The highest number that a file of the log has; 0 when none has been rotated. */
export function highestNumber(path: string): number {
  const name = basename(path);
  let highest = 0;
  for (const entry of unlessAbsent(() => readdirSync(dirname(path))) ?? []) {
    if (!entry.startsWith(`${name}.`)) continue;
    const number = /^\.(\d{1,6})(?:\.gz)?$/.exec(entry.slice(name.length))?.[1];
    highest = Math.max(highest, Number(number ?? 0));
  }
  return Math.min(highest, maxRotated);
}

/**
 * Newest first. A rotation moves the oldest first: who goes the other way meets each file at its
 * old number, its new one, or both, and a number that is free in the middle is no end.
 */
function openNewestFirst(path: string): readonly LogFile[] {
  const files: LogFile[] = [];
  const current = openCurrent(path);
  if (current !== undefined) files.push(current);
  const last = highestNumber(path) + 1;
  for (let number = 1; number <= last; number += 1) {
    const file =
      openOne(`${path}.${number}`, false) ?? openOne(`${path}.${number}.gz`, true);
    if (file !== undefined) files.push(file);
  }
  return files;
}

function doublesOf(files: readonly LogFile[]): readonly LogFile[] {
  return files.filter((file, at) => files.slice(0, at).some(({ identity }) => file.is(identity)));
}

/** Whether the newest file is still the one at `path`: then none was rotated meanwhile. */
function isCurrent(path: string, file: LogFile | undefined): boolean {
  const now = openCurrent(path);
  if (now === undefined) return file === undefined;
  now.close();
  return file?.is(now.identity) === true;
}

/**
 * Opens all files of the log, oldest first; the caller closes them. When it is rotated in the
 * middle of it, it is done again, so that none is missing or double.
 */
export function openLogFiles(path: string): readonly LogFile[] {
  for (let attempt = 1; ; attempt += 1) {
    const files = openNewestFirst(path);
    const doubles = doublesOf(files);
    const isWhole = doubles.length === 0 && isCurrent(path, files[0]);
    if (isWhole) return [...files].reverse();
    if (attempt < maxTries) {
      closeLogFiles(files);
      continue;
    }
    closeLogFiles(doubles);
    return files.filter((file) => !doubles.includes(file)).reverse();
  }
}
