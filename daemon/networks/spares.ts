/**
 * Network namespaces made ahead: who creates a container will most likely start it next, and what
 * is there already need not be waited for. Nobody is in one, so it goes with its fd, and with this
 * process; settings of the host that new namespaces copy are at most some seconds old.
 */
import { closeSync } from 'node:fs';
import type { Netlink } from '../../native/netlink/index.js';

/** The namespaces that wait for a container. */
export interface Spares {
  /** A start is to be expected: there will be one for it, unless there are many. */
  expect(): void;
  /** One that waits; its fd is the caller's to close from here on. */
  take(): number | undefined;
  close(): void;
}

/** What they are made by. */
export interface SparesOptions {
  readonly netlink: Pick<Netlink, 'run'>;
  readonly warn: (message: string) => void;
  /** For how long one waits, in ms; 10 000 by default. */
  readonly keptMs?: number;
}

/** How many wait at once: those who start many at a time are not served faster by more. */
const MOST = 4;

/** None is made before the first is expected. */
export function createSpares({ netlink, warn, keptMs = 10_000 }: SparesOptions): Spares {
  const waiting: number[] = [];
  let coming = 0;
  let isClosed = false;
  let hasFailed = false;
  let timer: NodeJS.Timeout | undefined;
  const drop = (): void => {
    for (const fd of waiting.splice(0)) closeSync(fd);
  };
  const make = async (): Promise<void> => {
    const [fd] = await netlink.run([{ do: 'makeNetns' }]);
    waiting.push(fd);
    if (isClosed) return drop();
    clearTimeout(timer);
    timer = setTimeout(drop, keptMs);
    timer.unref();
  };
  return {
    expect: () => {
      if (isClosed || waiting.length + coming >= MOST) return;
      coming++;
      make()
        .catch((error: unknown) => {
          // A start makes its own, and fails with the same reason where that matters.
          if (!hasFailed) warn(`network namespaces cannot be made ahead: ${String(error)}`);
          hasFailed = true;
        })
        .finally(() => coming--);
    },
    take: () => waiting.shift(),
    close: () => {
      isClosed = true;
      clearTimeout(timer);
      drop();
    },
  };
}
