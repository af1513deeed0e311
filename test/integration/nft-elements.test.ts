/** Ports as elements of nftables' maps: what the kernel keeps is what libnftables would make. */
import { test, type Test } from 'tap';
import { openNetlink, type Netlink, type NftElementChange } from '../../native/netlink/index.js';
import {
  addElements, portElements, replaceTable, tableName, type FirewallElement,
} from '../../netplugins/bridge/firewall-text.js';
import { portChanges } from '../../netplugins/bridge/port-changes.js';
import { hasNftables } from '../support/netplugin-bench.js';
import { inPrivateNetns } from '../support/private-netns.js';

const ours = '0000000a';
const theirs = '0000000b';
const endpoint = { id: 'ab'.repeat(32) };

const port = (hostIp: string, hostPort: number, containerIp: string) =>
  ({ hostIp, hostPort, protocol: 'tcp', containerIp, containerPort: 80 }) as const;

const ports = [
  port('0.0.0.0', 1, '172.17.0.2'),
  { ...port('0.0.0.0', 65_535, '172.17.0.3'), protocol: 'udp' },
  { ...port('::', 8080, 'fd00::2'), protocol: 'sctp' },
  port('127.0.0.1', 8080, '172.17.0.2'),
  port('2001:db8::1', 8080, 'fd00::abcd:2'),
] as const;

const elementsOf = (rootId: string, those: typeof ports): readonly FirewallElement[] =>
  portElements(rootId, endpoint, those);

async function tables(t: Test): Promise<Netlink> {
  const netlink = openNetlink();
  t.teardown(() => netlink.close());
  for (const rootId of [ours, theirs]) {
    await netlink.run([{ do: 'nft', commands: replaceTable(rootId, []) }]);
  }
  return netlink;
}

/** As nft prints it; the table's own name is left out. */
async function listed(netlink: Netlink, rootId: string): Promise<string> {
  const commands = `list table inet ${tableName(rootId)}`;
  const [text] = await netlink.run([{ do: 'nft', commands }]);
  return text.replaceAll(rootId, 'ROOT');
}

const change = (netlink: Netlink, changes: readonly NftElementChange[]) =>
  netlink.run([{ do: 'nftElements', changes }]);

function facts(): void {
  test('are those that libnftables makes, with their comments', async (t) => {
    const netlink = await tables(t);
    await change(netlink, portChanges(ours, [], elementsOf(ours, ports)));
    await netlink.run([{ do: 'nft', commands: addElements(theirs, elementsOf(theirs, ports)) }]);
    const text = await listed(netlink, ours);
    t.equal(text, await listed(netlink, theirs));
    t.match(text, /comment "tsdocker:ROOT:abab/);
    t.match(text, '127.0.0.1 . 6 . 8080');
  });

  test('go as they came, others in their place, in one transaction', async (t) => {
    const netlink = await tables(t);
    const empty = await listed(netlink, ours);
    const first = elementsOf(ours, ports);
    await change(netlink, portChanges(ours, [], first));
    const moved = first.map((each) => ({ ...each, value: each.value?.replace(/80$/, '81') ?? '' }));
    await change(netlink, portChanges(ours, first, moved));
    t.equal((await listed(netlink, ours)).match(/ \. 81[ ,\n]/g)?.length, ports.length);
    await change(netlink, portChanges(ours, moved, []));
    t.equal(await listed(netlink, ours), empty);
  });

  test('what cannot be is told by its errno, and nothing of it is done', async (t) => {
    const netlink = await tables(t);
    const all = elementsOf(ours, ports);
    const before = await listed(netlink, ours);
    await t.rejects(change(netlink, portChanges(ours, all.slice(0, 1), all.slice(1))), {
      syscall: 'nft', code: 'ENOENT',
    });
    await t.rejects(change(netlink, portChanges('0000000c', [], all)), { code: 'ENOENT' });
    t.equal(await listed(netlink, ours), before);
    await change(netlink, portChanges(ours, [], all));
    const other = all.map((each) => ({ ...each, value: each.value?.replace(/80$/, '81') ?? '' }));
    await t.rejects(change(netlink, portChanges(ours, [], other)), { code: /^E(EXIST|BUSY)$/ });
    t.equal((await listed(netlink, ours)).match(/ \. 81[ ,\n]/g), null);
  });

  test('many go in one transaction', async (t) => {
    const netlink = await tables(t);
    const many = Array.from({ length: 256 }, (_, at) => port('0.0.0.0', at + 1, '172.17.0.2'));
    const elements = portElements(ours, endpoint, many);
    await change(netlink, portChanges(ours, [], elements));
    t.equal((await listed(netlink, ours)).match(/comment "tsdocker:ROOT:ab/g)?.length, many.length);
    await change(netlink, portChanges(ours, elements, []));
  });
}

if (inPrivateNetns(import.meta.url)) {
  if (await hasNftables()) facts();
  else test('elements', { skip: 'this kernel has no nftables' }, (t) => t.end());
}
