/** Drivers whose lines go to a receiver elsewhere, and the shippers that are under way. */
import { existsSync } from 'node:fs';
import { systemError } from '../../../api-spec/errors.js';
import type { LogOptions } from '../options.js';
import type { TaggedContainer } from '../tag.js';
import { toGelf } from './gelf.js';
import { journalSocket, toJournald } from './journald.js';
import type { OpenSender } from './sender.js';
import { ship } from './shipper.js';
import { toSyslog } from './syslog.js';

/** What is to be shipped of one container. */
export interface ShipRequest {
  readonly driver: string;
  readonly container: TaggedContainer;
  readonly options: LogOptions;
  readonly path: string;
  readonly keptFiles: number;
  /** Settles when nothing more will be spooled. */
  readonly ended: Promise<unknown>;
}

interface Underway {
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** Whether lines of this driver are shipped. */
export function isShipped(driver: string): boolean {
  return ['gelf', 'journald', 'syslog'].includes(driver);
}

/** Throws `ApiError` 500 in Docker's words where the receiver can never be reached. */
export function checkReceiver(driver: string, socket = journalSocket): void {
  if (driver !== 'journald' || existsSync(socket)) return;
  throw systemError(
    'failed to create task for container: failed to initialize logging driver: ' +
      'journald is not enabled on this host',
  );
}

/** All shippers of a daemon: one for each container at most. */
export class Shippers {
  readonly #underway = new Map<string, Underway>();

  constructor(
    readonly warn: (error: unknown, message: string) => void,
    readonly journal = journalSocket,
  ) {}

  /** Begins where the last one of that container stopped, once that has ended. */
  begin(request: ShipRequest): void {
    const { id } = request.container;
    const before = this.#underway.get(id);
    before?.stop.abort();
    const stop = new AbortController();
    const done = (before?.done ?? Promise.resolve())
      .then(() => this.#run(request, stop.signal))
      .catch((error: unknown) => this.warn(error, `the log of ${id} is no longer shipped`))
      .finally(() => {
        if (this.#underway.get(id)?.stop === stop) this.#underway.delete(id);
      });
    this.#underway.set(id, { stop, done });
  }

  async #run(request: ShipRequest, signal: AbortSignal): Promise<void> {
    const { container, driver, path, keptFiles, ended } = request;
    const warn = (error: unknown): void =>
      this.warn(error, `the log of ${container.id} waits for ${driver}`);
    await ship({ path, open: this.#opener(request), ended, signal, keptFiles, warn });
  }

  #opener({ driver, container, options }: ShipRequest): OpenSender {
    if (driver === 'journald') return toJournald(this.journal, container, options);
    return driver === 'gelf' ? toGelf(container, options) : toSyslog(container, options);
  }

  /** Waits for what is under way of a container that ends, and gives up after `timeoutMs`. */
  async settle(id: string, timeoutMs: number): Promise<void> {
    const underway = this.#underway.get(id);
    if (underway === undefined) return;
    const timer = setTimeout(() => underway.stop.abort(), timeoutMs);
    await underway.done;
    clearTimeout(timer);
  }

  /** Stops all; the next daemon goes on where they were. */
  async close(): Promise<void> {
    const all = [...this.#underway.values()];
    for (const { stop } of all) stop.abort();
    await Promise.all(all.map(({ done }) => done));
  }
}
