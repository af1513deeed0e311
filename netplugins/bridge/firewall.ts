/**
 * The engine's nft table in the kernel: changes that come together become one transaction, and a
 * table that a stranger flushed (firewalld's reload, `nft flush ruleset`) is put back.
 */
import { ErrnoError } from '../../native/errno-error.js';
import type { Netlink } from '../../native/netlink/index.js';
import { lacksNftables } from '../../native/nftables.js';
import {
  addElements, deleteElements, replaceTable, tableName, type FirewallElement,
} from './firewall-text.js';
import { admitBridges, type Admission } from './foreign-chains.js';

/** How often it is asked whether anyone changed nftables; costs 0.05 ms in the worker. */
const watchIntervalMs = 2000;

/** The table; `open` first. */
export interface Firewall {
  /** Replaces the table by one with these elements, by owner, and begins to watch it. */
  open(elements: ReadonlyMap<string, readonly FirewallElement[]>): Promise<void>;
  /** Makes `elements` what this owner has; idempotent. */
  set(owner: string, elements: readonly FirewallElement[]): Promise<void>;
  /** Removes all that the owner has; nothing is done when it has nothing. */
  clear(owner: string): Promise<void>;
  /** Whether rules can be made at all: libnftables and the kernel's part are there. */
  readonly available: () => boolean;
  /** Stops watching; the table stays. */
  close(): void;
}

export interface FirewallOptions {
  readonly rootId: string;
  readonly netlink: Netlink;
  readonly warn: (message: string) => void;
}

interface Change {
  readonly commands: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Makes the firewall of one engine; the kernel is not touched before `open`. */
export function createFirewall({ rootId, netlink, warn }: FirewallOptions): Firewall {
  const owned = new Map<string, readonly FirewallElement[]>();
  let waiting: Change[] = [];
  let isBusy = false;
  let available = true;
  let generation = 0;
  let listing = '';
  let admission: Admission = { chain: undefined };
  let timer: NodeJS.Timeout | undefined;

  const commit = async (commands: string): Promise<void> => {
    const [, now] = await netlink.run([{ do: 'nft', commands }, { do: 'nftGeneration' }]);
    generation = now;
  };
  const flush = async (): Promise<void> => {
    if (isBusy) return;
    isBusy = true;
    while (waiting.length > 0) {
      const changes = waiting;
      waiting = [];
      await commitTogether(changes, commit);
    }
    isBusy = false;
  };
  const change = (commands: string): Promise<void> =>
    new Promise((resolve, reject) => {
      waiting.push({ commands, resolve, reject });
      queueMicrotask(() => void flush());
    });
  const install = async (): Promise<void> => {
    await change(replaceTable(rootId, [...owned.values()].flat()));
    [listing] = await netlink.run([listTable(rootId)]);
    const bridges = [...owned.values()].flat().filter(({ set }) => set === 'bridges');
    admission = await admitBridges(netlink, bridges.map(({ key }) => key), admission, warn);
  };
  const watch = async (): Promise<void> => {
    const [now] = await netlink.run([{ do: 'nftGeneration' }]);
    if (now === generation || isBusy) return;
    const [found] = await netlink.run([{ ...listTable(rootId), tolerate: ['ENOENT'] }]);
    if (found === listing) {
      generation = now;
      const bridges = [...owned.values()].flat().filter(({ set }) => set === 'bridges');
      admission = await admitBridges(netlink, bridges.map(({ key }) => key), admission, warn);
      return;
    }
    await install();
    warn(`nft table ${tableName(rootId)} was changed by someone else and has been restored`);
  };
  const schedule = (): void => {
    timer = setTimeout(() => {
      watch()
        .catch((error: unknown) => warn(`cannot watch the firewall: ${String(error)}`))
        .finally(schedule);
    }, watchIntervalMs);
    timer.unref();
  };
  return {
    open: async (elements) => {
      clearTimeout(timer);
      owned.clear();
      for (const [owner, list] of elements) owned.set(owner, list);
      try {
        await install();
      } catch (error) {
        if (!lacksNftables(error)) throw error;
        available = false;
        warn(`no published ports and no isolation of networks: ${String(error)}`);
        return;
      }
      available = true;
      schedule();
    },
    set: async (owner, elements) => {
      const before = owned.get(owner) ?? [];
      if (!available || sameElements(before, elements)) return;
      owned.set(owner, elements);
      const text = [deleteElements(rootId, before), addElements(rootId, elements)].join('\n');
      try {
        await change(text);
      } catch (error) {
        owned.set(owner, before);
        throw error;
      }
    },
    clear: async (owner) => {
      const before = owned.get(owner) ?? [];
      owned.delete(owner);
      if (!available || before.length === 0) return;
      await change(deleteElements(rootId, before)).catch(ignoreMissing);
    },
    available: () => available,
    close: () => clearTimeout(timer),
  };
}

/** One transaction for all; if it fails, one for each, so that only the guilty one is told. */
async function commitTogether(
  changes: readonly Change[],
  commit: (commands: string) => Promise<void>,
): Promise<void> {
  try {
    await commit(changes.map(({ commands }) => commands).join('\n'));
    for (const { resolve } of changes) resolve();
  } catch (error) {
    const [only] = changes;
    if (changes.length === 1) {
      only?.reject(error);
      return;
    }
    for (const each of changes) await commitTogether([each], commit);
  }
}

function listTable(rootId: string) {
  return {
    do: 'nft', commands: `list table inet ${tableName(rootId)}`, format: { terse: true },
  } as const;
}

function sameElements(a: readonly FirewallElement[], b: readonly FirewallElement[]): boolean {
  const text = (list: readonly FirewallElement[]): string =>
    list.map(({ set, key, value }) => `${set} ${key} ${value ?? ''}`).join('\n');
  return text(a) === text(b);
}

/** A table that a stranger emptied is restored by the watch; what is to go is gone already. */
function ignoreMissing(error: unknown): void {
  if (!(error instanceof ErrnoError) || error.code !== 'ENOENT') throw error;
}

