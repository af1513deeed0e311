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
import { admitBridges } from './foreign-chains.js';
import { isPortElement, portChanges } from './port-changes.js';
import { createTransactions, type TableChange, type Transactions } from './transactions.js';

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
  /** Lets bridges through that have come since: in other firewalls' chains. */
  admit(): Promise<void>;
  /** Whether rules can be made at all: libnftables and the kernel's part are there. */
  readonly available: () => boolean;
  /** Stops watching; the table stays. */
  close(): void;
}

/** What a firewall is made for. */
export interface FirewallOptions {
  readonly rootId: string;
  readonly netlink: Netlink;
  readonly warn: (message: string) => void;
  /** What keeps traffic from us now, a sentence each: replaces what was said before. */
  readonly report: (problems: readonly string[]) => void;
}

/** Makes the firewall of one engine; the kernel is not touched before `open`. */
export function createFirewall(options: FirewallOptions): Firewall {
  const { rootId, warn } = options;
  const transactions = createTransactions(options.netlink);
  const owned = new Map<string, readonly FirewallElement[]>();
  const watch = createWatch(options, transactions, owned);
  let available = true;
  return {
    open: async (elements) => {
      watch.stop();
      owned.clear();
      for (const [owner, list] of elements) owned.set(owner, list);
      try {
        await watch.install();
        available = true;
        watch.start();
      } catch (error) {
        if (!lacksNftables(error)) throw error;
        available = false;
        warn(`no published ports and no isolation of networks: ${String(error)}`);
      }
    },
    set: async (owner, elements) => {
      const before = owned.get(owner) ?? [];
      if (!available || sameElements(before, elements)) return;
      owned.set(owner, elements);
      try {
        await transactions.commit(exchange(rootId, before, elements));
      } catch (error) {
        owned.set(owner, before);
        throw error;
      }
    },
    clear: async (owner) => {
      const before = owned.get(owner) ?? [];
      owned.delete(owner);
      if (!available || before.length === 0) return;
      await transactions.commit(exchange(rootId, before, [])).catch(ignoreMissing);
    },
    admit: async () => {
      if (available) await watch.admit();
    },
    available: () => available,
    close: () => watch.stop(),
  };
}

interface Watch {
  /** Replaces the table by what is owned now. */
  install(): Promise<void>;
  admit(): Promise<void>;
  start(): void;
  stop(): void;
}

/** Looks whether anyone else changed nftables; our table is then compared, and put back. */
function createWatch(
  { rootId, netlink, warn, report }: FirewallOptions,
  transactions: Transactions,
  owned: ReadonlyMap<string, readonly FirewallElement[]>,
): Watch {
  let seen = 0;
  let listing = '';
  const told = new Set<string>();
  const tell = (message: string): void => {
    if (!told.has(message)) warn(message);
    told.add(message);
  };
  let timer: NodeJS.Timeout | undefined;
  const admit = async (): Promise<void> => {
    const bridges = [...owned.values()].flat().filter(({ set }) => set === 'bridges');
    const found = await admitBridges(netlink, bridges.map(({ key }) => key));
    for (const name of found.admittedBy) tell(`${name} is here too: its chains let us through`);
    for (const problem of found.problems) tell(problem);
    report(found.problems);
  };
  const install = async (): Promise<void> => {
    await transactions.commit({
      commands: () => replaceTable(rootId, [...owned.values()].flat()),
    });
    [listing] = await netlink.run([listTable(rootId)]);
    await admit();
  };
  const look = async (): Promise<void> => {
    const [now] = await netlink.run([{ do: 'nftGeneration' }]);
    if (now === seen || now === transactions.generation() || transactions.isBusy()) return;
    const [found] = await netlink.run([{ ...listTable(rootId), tolerate: ['ENOENT'] }]);
    seen = now;
    if (found === listing) return admit();
    await install();
    warn(`nft table ${tableName(rootId)} was changed by someone else and has been restored`);
  };
  const start = (): void => {
    timer = setTimeout(() => {
      look()
        .catch((error: unknown) => warn(`cannot watch the firewall: ${String(error)}`))
        .finally(start);
    }, watchIntervalMs);
    timer.unref();
  };
  return { install, admit, start, stop: () => clearTimeout(timer) };
}

/** Some elements for others; ports alone go to the kernel directly. */
function exchange(
  rootId: string,
  before: readonly FirewallElement[],
  after: readonly FirewallElement[],
): TableChange {
  const commands = (): string =>
    [deleteElements(rootId, before), addElements(rootId, after)].join('\n');
  if (![...before, ...after].every(isPortElement)) return { commands };
  return { commands, elements: portChanges(rootId, before, after) };
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

