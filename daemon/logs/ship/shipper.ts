/**
 * Ships what is spooled to a receiver. The spool is the shim's, which waits for nobody: a receiver
 * or a daemon that is away costs disk, and what was not taken is sent when both are back.
 */
import { rm, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../../../native/errno-error.js';
import { beginningOf, follow, type Place } from '../follow.js';
import { highestNumber } from '../log-files.js';
import { SharedLog, type LogNode } from '../shared-log.js';
import { readCursor, writeCursor } from './cursor.js';
import { spooledLines, type SpooledLine } from './line.js';
import type { OpenSender, Sender } from './sender.js';

const retryMs = { first: 200, last: 10_000 };
/** At least so often it is noted how far it went; a crash sends again what came after. */
const notedMs = 1_000;

/** What is shipped, and to where. */
export interface Shipment {
  /** Of the spool. */
  readonly path: string;
  readonly open: OpenSender;
  /** Settles when nothing more will be spooled. */
  readonly ended: Promise<unknown>;
  /** Gives up; what was not sent stays spooled. */
  readonly signal: AbortSignal;
  /** Files beyond this number are removed once they have been shipped. */
  readonly keptFiles: number;
  /** Told once for each time that the receiver is out of reach. */
  readonly warn: (error: unknown) => void;
}

/** The place that is beside the spool. */
const cursorPath = (path: string): string => `${path}.cursor`;

/** Resolves when all has been sent after `ended`, or when it was given up. */
export async function ship(shipment: Shipment): Promise<void> {
  const { path, ended, signal } = shipment;
  const log = new SharedLog(path, { isForAll: true });
  const line = new Line(shipment);
  let shipped: Place | undefined;
  let notedAtMs = 0;
  try {
    log.open();
    const start = await placeIn(log, path);
    const form = { name: 'spooled', of: spooledLines };
    for await (const { value, place } of follow(log, start, form, { ended, signal })) {
      if (!(await line.send(value))) break;
      if (shipped?.node !== place.node) {
        log.releaseBefore(place.node);
        await trim(shipment, place.node);
      }
      shipped = place;
      if (Date.now() < notedAtMs + notedMs) continue;
      notedAtMs = Date.now();
      await note(path, place);
    }
  } finally {
    line.close();
    if (shipped !== undefined) await note(path, shipped);
    log.close();
  }
}

function note(path: string, { node, offset }: Place): Promise<void> {
  return writeCursor(cursorPath(path), { identity: node.file.identity, offset });
}

/** Where the last daemon stopped; the oldest that there is when that is gone. */
async function placeIn(log: SharedLog, path: string): Promise<Place | undefined> {
  const cursor = await readCursor(cursorPath(path));
  for (let node = log.oldest; node !== undefined && cursor !== undefined; node = node.next) {
    if (!node.file.is(cursor.identity)) continue;
    return { ...beginningOf(node), offset: cursor.offset };
  }
  return log.oldest && beginningOf(log.oldest);
}

/**
 * Files that are shipped and more than are to be kept. Two more than that stay: the spool may be
 * rotated, and each get the next number, at any moment.
 */
async function trim({ path, keptFiles }: Shipment, node: LogNode): Promise<void> {
  const last = highestNumber(path);
  let own = 0;
  for (let number = 1; number <= last; number += 1) {
    const { ino } = await statOrNothing(`${path}.${number}`);
    if (ino === node.file.identity.inode) own = number;
  }
  for (let number = last; number >= Math.max(keptFiles, own + 2); number -= 1) {
    await rm(`${path}.${number}`, { force: true });
  }
}

async function statOrNothing(path: string): Promise<{ readonly ino: bigint }> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return { ino: 0n };
    throw error;
  }
}

/** A connection that is made again when it breaks. */
class Line {
  #sender: Sender | undefined;
  #waitMs = retryMs.first;

  constructor(readonly shipment: Shipment) {}

  /** Whether they were sent; false when the shipment was given up. */
  async send(lines: readonly SpooledLine[]): Promise<boolean> {
    const { signal, open, warn } = this.shipment;
    while (!signal.aborted) {
      try {
        this.#sender ??= await open(signal);
        await this.#sender.send(lines);
        this.#waitMs = retryMs.first;
        return true;
      } catch (error) {
        this.close();
        if (this.#waitMs === retryMs.first) warn(error);
        await sleep(this.#waitMs, undefined, { signal }).catch(() => undefined);
        this.#waitMs = Math.min(2 * this.#waitMs, retryMs.last);
      }
    }
    return false;
  }

  close(): void {
    this.#sender?.close();
    this.#sender = undefined;
  }
}
