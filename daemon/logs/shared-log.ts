/**
 * A log that is being followed, once for all who follow it: one watch of its folder, one descriptor
 * of each file, and each piece of it decoded once for those who want it in the same form.
 */
import { statSync, watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';
import { ErrnoError, hasCode } from '../../native/errno-error.js';
import type { Task } from '../runtime/task.js';
import { linesAt } from './lines.js';
import { closeLogFiles, openCurrent, openLogFiles, type LogFile } from './log-files.js';

/** Filesystems without inotify (a user-mode kernel's hostfs) are looked at this often. */
const fallbackMs = 1000;
/** A log that is written without a pause is looked at this often: more comes at a time. */
const calmMs = 5;
/** Pieces that are kept for the others; each is some 256 KiB. */
const maxPieces = 8;
/**
 * What is kept open for followers who are behind, removed or not. One who is further behind than
 * that loses lines, as a reader loses those that rotation has removed.
 */
const maxHeld = { bytes: 256 * 1024 * 1024, files: 512, whateverTheirSize: 8 };

/** A file and the one that came after it. */
export interface LogNode {
  readonly file: LogFile;
  next: LogNode | undefined;
  /** It was given up: its descriptor is closed. */
  isGone: boolean;
  /** How large it was when it was looked at last. */
  sizeBytes: number;
  /** How often it was seen to be smaller than before: it begins anew then. */
  truncations: number;
}

/** A piece of a log in one form, and where the next begins. */
export interface Piece<Form> {
  readonly value: Form;
  readonly end: number;
}

/** How lines become what a follower wants; `name` is the same for the same form. */
export interface Form<Value> {
  readonly name: string;
  readonly of: (lines: Buffer) => Value;
}

/** See the head of this file. Who opens it closes it. */
export class SharedLog {
  readonly #held: LogNode[] = [];
  #watcher: FSWatcher | undefined;
  #version = 0;
  #lookedAtMs = 0;
  #isStirred = false;
  #isClosed = false;
  /** Why it can no longer be looked at. */
  failure: Error | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #waiting = new Set<() => void>();
  readonly #pieces = new Map<string, Promise<Piece<unknown> | undefined>>();
  readonly #numbers = new WeakMap<LogNode, number>();
  #count = 0;

  /** `isForAll`: from the oldest file on, none of which is given up before it is released. */
  constructor(
    readonly path: string,
    readonly options: { readonly isForAll: boolean } = { isForAll: false },
  ) {}

  /** Counts what has happened to the log. */
  get version(): number {
    return this.#version;
  }

  get newest(): LogNode | undefined {
    return this.#held.at(-1);
  }

  get oldest(): LogNode | undefined {
    return this.#held[0];
  }

  /** Closes the files before `node`. */
  releaseBefore(node: LogNode): void {
    const at = this.#held.indexOf(node);
    this.#giveUp(this.#held.splice(0, Math.max(0, at)));
  }

  #giveUp(nodes: readonly LogNode[]): void {
    for (const node of nodes) node.isGone = true;
    closeLogFiles(nodes.map(({ file }) => file));
  }

  /** Takes the files as they are now. */
  open(): void {
    this.#watcher = watched(dirname(this.path), () => this.#stir());
    this.look();
  }

  close(): void {
    this.#isClosed = true;
    this.#watcher?.close();
    clearTimeout(this.#timer);
    this.#giveUp(this.#held.splice(0));
    this.#pieces.clear();
  }

  /** Resolves once something has happened since `version`, or `wake` is called. */
  changed(version: number): { readonly happened: Promise<void>; readonly wake: () => void } {
    let wake = (): void => undefined;
    const happened = new Promise<void>((resolve) => {
      wake = () => {
        this.#waiting.delete(wake);
        resolve();
      };
      this.#waiting.add(wake);
    });
    if (version !== this.#version) wake();
    return { happened, wake };
  }

  /** The next lines of `node` at `offset`; undefined when there are none yet. */
  async piece<Value>(
    node: LogNode,
    offset: number,
    form: Form<Value>,
  ): Promise<Piece<Value> | undefined> {
    const key = `${this.#numberOf(node)} ${offset} ${form.name}`;
    const known = this.#pieces.get(key);
    // The key names the form, and with it the type.
    if (known !== undefined) return known as Promise<Piece<Value> | undefined>;
    const reading = readPiece(node, offset, form);
    this.#pieces.set(key, reading);
    for (const oldest of this.#pieces.keys()) {
      if (this.#pieces.size <= maxPieces) break;
      this.#pieces.delete(oldest);
    }
    try {
      const piece = await reading;
      if (piece === undefined) this.#pieces.delete(key);
      return piece;
    } catch (error) {
      this.#pieces.delete(key);
      throw error;
    }
  }

  #numberOf(node: LogNode): number {
    const number = this.#numbers.get(node) ?? (this.#count += 1);
    this.#numbers.set(node, number);
    return number;
  }

  #stir(): void {
    if (this.#isStirred || this.#isClosed) return;
    this.#isStirred = true;
    this.#plan(Math.max(0, this.#lookedAtMs + calmMs - Date.now()));
  }

  #plan(afterMs: number): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => this.#lookOrFail(), afterMs);
  }

  /** Those who follow are told of what is wrong. */
  #lookOrFail(): void {
    try {
      this.look();
    } catch (error) {
      this.failure = error instanceof Error ? error : new Error(String(error));
      this.#wakeAll();
    }
  }

  #wakeAll(): void {
    this.#version += 1;
    for (const wake of [...this.#waiting]) wake();
  }

  /** Opens what came since, before those who follow read on. */
  look(): void {
    if (this.#isClosed) return;
    this.#lookedAtMs = Date.now();
    this.#isStirred = false;
    this.#plan(fallbackMs);
    if (!this.#isStill()) this.#openNewer();
    this.#wakeAll();
  }

  /** Whether the newest file is the one at the path; notes when it has been truncated. */
  #isStill(): boolean {
    const node = this.newest;
    const found = statSync(this.path, { bigint: true, throwIfNoEntry: false });
    // In the midst of a rotation, or not there yet.
    if (found === undefined) return true;
    const identity = { inode: found.ino, birthNs: found.birthtimeNs };
    if (node === undefined || !node.file.is(identity)) return false;
    const sizeBytes = Number(found.size);
    if (sizeBytes < node.sizeBytes) {
      node.truncations += 1;
      this.#pieces.clear();
    }
    node.sizeBytes = sizeBytes;
    return true;
  }

  #openNewer(): void {
    const { newest } = this;
    const isFirst = newest === undefined && !this.options.isForAll;
    const files = isFirst ? onlyCurrent(this.path) : openLogFiles(this.path);
    const at = files.findIndex((file) => newest !== undefined && file.is(newest.file.identity));
    closeLogFiles(files.slice(0, at + 1));
    for (const file of files.slice(at + 1)) {
      const { sizeBytes } = file;
      const node = { file, next: undefined, isGone: false, sizeBytes, truncations: 0 };
      const before = this.newest;
      if (before !== undefined) before.next = node;
      this.#held.push(node);
    }
    if (!this.options.isForAll) this.#giveUp(this.#held.splice(0, tooMany(this.#held)));
  }
}

/** A folder that is not there is looked at now and then, like one that cannot be watched. */
function watched(folder: string, onChange: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, onChange);
    // A directory that is removed ends the watch; the fall-back notices the end.
    return watcher.on('error', onChange);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** How many of the oldest are given up. */
function tooMany(held: readonly LogNode[]): number {
  let bytes = 0;
  for (let kept = 0; kept < held.length; kept += 1) {
    bytes += held[held.length - 1 - kept]?.sizeBytes ?? 0;
    const isOver = bytes > maxHeld.bytes && kept >= maxHeld.whateverTheirSize;
    if (isOver || kept >= maxHeld.files) return held.length - kept;
  }
  return 0;
}

function onlyCurrent(path: string): readonly LogFile[] {
  const file = openCurrent(path);
  return file === undefined ? [] : [file];
}

async function readPiece<Value>(
  node: LogNode,
  offset: number,
  form: Form<Value>,
): Promise<Piece<Value> | undefined> {
  const text = await node.file.text();
  const lines = await linesAt(text, offset, Number.MAX_SAFE_INTEGER);
  return lines === undefined ? undefined : { value: form.of(lines.bytes), end: lines.end };
}

/** Who rotates a log: it keeps files longer while somebody is behind. */
export type Keeper = Pick<Task, 'logKeep'>;

interface Shared {
  readonly log: SharedLog;
  readonly keeper: Keeper | undefined;
  users: number;
  readonly ready: Promise<void>;
}

/** All logs that are being followed. */
export class SharedLogs {
  readonly #open = new Map<string, Shared>();

  /** The log at `path`, open; whoever takes it releases it. */
  async acquire(path: string, keeper?: Keeper, fileBytes = 0): Promise<SharedLog> {
    let entry = this.#open.get(path);
    if (entry === undefined) {
      const log = new SharedLog(path);
      const files = fileBytes === 0 ? 0 : Math.ceil(maxHeld.bytes / fileBytes);
      const ready = keep(keeper, Math.min(files, maxHeld.files)).then(() => log.open());
      entry = { log, users: 0, keeper, ready };
      this.#open.set(path, entry);
    }
    entry.users += 1;
    try {
      await entry.ready;
    } catch (error) {
      await this.release(entry.log);
      throw error;
    }
    entry.log.look();
    return entry.log;
  }

  async release(log: SharedLog): Promise<void> {
    const entry = this.#open.get(log.path);
    if (entry?.log !== log) return;
    entry.users -= 1;
    if (entry.users > 0) return;
    this.#open.delete(log.path);
    await keep(entry.keeper, 0);
    log.close();
  }
}

/** One that has ended meanwhile rotates nothing any more. */
async function keep(keeper: Keeper | undefined, files: number): Promise<void> {
  try {
    await keeper?.logKeep(files);
  } catch (error) {
    if (!(error instanceof ErrnoError && ['EPIPE', 'ENOSYS'].includes(error.code))) throw error;
  }
}
