/**
 * Links that are about to go: a container's netns dies with its last process, and the kernel takes
 * the veth pair along some 20 ms later. One timer watches for all of them; nobody asks the kernel
 * to delete, which would take as long and hold up everyone else.
 */
import type { Netlink } from '../../native/netlink/index.js';

const lookIntervalMs = 25;
/** After this a stranger is taken to hold the namespace, and the link is deleted. */
const patienceMs = 5000;

/** Watches links until they are gone. */
export interface Departures {
  /** Once for each link: resolves when it is gone, by itself or deleted after five seconds. */
  watch(link: string): Promise<void>;
  close(): void;
}

interface Leaving {
  readonly sinceMs: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Makes the watch; its timer runs only while something is leaving. */
export function createDepartures(netlink: Netlink): Departures {
  const leaving = new Map<string, Leaving>();
  let timer: NodeJS.Timeout | undefined;

  const look = async (): Promise<void> => {
    const names = [...leaving.keys()];
    const [present] = await netlink.run([{ do: 'presentLinks', names }]);
    const still = new Set(present);
    for (const name of names) {
      const entry = leaving.get(name);
      if (entry === undefined || still.has(name)) continue;
      leaving.delete(name);
      entry.resolve();
    }
    for (const [name, { sinceMs }] of leaving) {
      if (performance.now() - sinceMs < patienceMs) continue;
      await netlink.run([{ do: 'deleteLink', name, tolerate: ['ENODEV'] }]);
    }
  };
  const schedule = (): void => {
    timer = setTimeout(() => {
      look()
        .catch((error: unknown) => {
          for (const { reject } of leaving.values()) reject(error);
          leaving.clear();
        })
        .finally(() => {
          timer = undefined;
          if (leaving.size > 0) schedule();
        });
    }, lookIntervalMs);
  };
  return {
    watch: (link) => {
      const gone = new Promise<void>((resolve, reject) => {
        leaving.set(link, { sinceMs: performance.now(), resolve, reject });
      });
      if (timer === undefined) schedule();
      return gone;
    },
    close: () => clearTimeout(timer),
  };
}
