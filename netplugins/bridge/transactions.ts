/** nft changes that come together become one transaction: ten starts at once cost one. */
import type { Netlink, NftElementChange } from '../../native/netlink/index.js';

/** A change of the table: commands, or the same as elements where these are all that changes. */
export interface TableChange {
  readonly commands: () => string;
  readonly elements?: readonly NftElementChange[];
}

/** A queue in front of nftables. */
export interface Transactions {
  /** Carries out a change whole or not at all, maybe in one transaction with others. */
  commit(change: TableChange): Promise<void>;
  /** nftables' generation right after the last of our own changes. */
  readonly generation: () => number;
  readonly isBusy: () => boolean;
}

interface Change {
  readonly change: TableChange;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Makes an empty queue. */
export function createTransactions(netlink: Netlink): Transactions {
  let waiting: Change[] = [];
  let isBusy = false;
  let generation = 0;
  const run = async (changes: readonly TableChange[]): Promise<void> => {
    const [, now] = await netlink.run([stepOf(changes), { do: 'nftGeneration' }]);
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
    commit: (change) =>
      new Promise((resolve, reject) => {
        waiting.push({ change, resolve, reject });
        queueMicrotask(() => void flush());
      }),
    generation: () => generation,
    isBusy: () => isBusy,
  };
}

/** What fits one datagram with ease: its attributes are of 64 KiB at most. */
const maxDirectElements = 256;

/** Elements alone need no libnftables, unless there are very many. */
function stepOf(changes: readonly TableChange[]) {
  const elements = changes.flatMap((change) => change.elements);
  const direct = elements.filter((each) => each !== undefined);
  const count = direct.reduce((sum, each) => sum + each.elements.length, 0);
  return direct.length === elements.length && count <= maxDirectElements
    ? ({ do: 'nftElements', changes: direct } as const)
    : ({ do: 'nft', commands: changes.map(({ commands }) => commands()).join('\n') } as const);
}

/** One transaction for all; if it fails, one for each, so that only the guilty one is told. */
async function runTogether(
  changes: readonly Change[],
  run: (changes: readonly TableChange[]) => Promise<void>,
): Promise<void> {
  try {
    await run(changes.map(({ change }) => change));
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
