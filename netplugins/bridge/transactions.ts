/** nft changes that come together become one transaction: ten starts at once cost one. */
import type { Netlink } from '../../native/netlink/index.js';

/** A queue in front of nftables. */
export interface Transactions {
  /** Carries out commands whole or not at all, maybe in one transaction with others. */
  commit(commands: string): Promise<void>;
  /** nftables' generation right after the last of our own changes. */
  readonly generation: () => number;
  readonly isBusy: () => boolean;
}

interface Change {
  readonly commands: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Makes an empty queue. */
export function createTransactions(netlink: Netlink): Transactions {
  let waiting: Change[] = [];
  let isBusy = false;
  let generation = 0;
  const run = async (commands: string): Promise<void> => {
    const [, now] = await netlink.run([{ do: 'nft', commands }, { do: 'nftGeneration' }]);
    generation = now;
  };
  const flush = async (): Promise<void> => {
    if (isBusy) return;
    isBusy = true;
    while (waiting.length > 0) {
      const changes = waiting;
      waiting = [];
      await runTogether(changes, run);
    }
    isBusy = false;
  };
  return {
    commit: (commands) =>
      new Promise((resolve, reject) => {
        waiting.push({ commands, resolve, reject });
        queueMicrotask(() => void flush());
      }),
    generation: () => generation,
    isBusy: () => isBusy,
  };
}

/** One transaction for all; if it fails, one for each, so that only the guilty one is told. */
async function runTogether(
  changes: readonly Change[],
  run: (commands: string) => Promise<void>,
): Promise<void> {
  try {
    await run(changes.map(({ commands }) => commands).join('\n'));
    for (const { resolve } of changes) resolve();
  } catch (error) {
    const [only] = changes;
    if (changes.length === 1) {
      only?.reject(error);
      return;
    }
    for (const each of changes) await runTogether([each], run);
  }
}
