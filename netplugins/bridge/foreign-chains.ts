/**
 * Other firewalls. An accept in one's own table does not beat another's drop, so our bridges are
 * let through in the chains that others keep for that: Docker's DOCKER-USER, ufw's user rules. Only
 * iifname/oifname, counter and accept are used: what `iptables -S` can still list. What would drop
 * our traffic and has no such door is told, not fought.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { Netlink } from '../../native/netlink/index.js';

interface Door {
  readonly family: 'ip' | 'ip6';
  readonly chain: string;
  readonly of: string;
}

const doors: readonly Door[] = [
  { family: 'ip', chain: 'DOCKER-USER', of: 'a Docker Engine' },
  { family: 'ip6', chain: 'DOCKER-USER', of: 'a Docker Engine' },
  { family: 'ip', chain: 'ufw-user-forward', of: 'ufw' },
  { family: 'ip6', chain: 'ufw6-user-forward', of: 'ufw' },
];

/** Tables of the old iptables, which nft neither lists nor beats; empty where it is not used. */
const legacyTables = '/proc/net/ip_tables_names';

/** What was found on the host. */
export interface Neighbours {
  /** Whose doors were there. */
  readonly admittedBy: readonly string[];
  /** A sentence each: what may drop our traffic, and what to do. */
  readonly problems: readonly string[];
}

/** Lets `bridges` (quoted names) through where others have a door; looks for who has none. */
export async function admitBridges(
  netlink: Netlink,
  bridges: readonly string[],
): Promise<Neighbours> {
  const open: Door[] = [];
  for (const door of doors) {
    const found = await list(netlink, door);
    if (found === undefined) continue;
    open.push(door);
    const missing = bridges.flatMap((bridge) =>
      (['iifname', 'oifname'] as const)
        .filter((side) => !found.includes(`${side} ${bridge} counter`))
        .map((side) => `insert rule ${nameOf(door)} ${side} ${bridge} counter accept`));
    if (missing.length === 0) continue;
    await netlink.run([{ do: 'nft', commands: missing.join('\n') }]);
  }
  const problems = [
    ...(await droppingPolicies(netlink, open)),
    ...(await firewalld(netlink, bridges)),
    ...legacy(),
  ];
  return { admittedBy: [...new Set(open.map(({ of }) => of))], problems };
}

/** Takes a bridge's rules out of all doors; nothing is done where there are none. */
export async function dismissBridge(netlink: Netlink, bridge: string): Promise<void> {
  for (const door of doors) {
    const found = await list(netlink, door, true);
    const commands = (found ?? '')
      .split('\n')
      .filter((line) => line.includes(`ifname "${bridge}" counter`))
      .flatMap((line) => /# handle (\d+)$/.exec(line)?.[1] ?? [])
      .map((handle) => `delete rule ${nameOf(door)} handle ${handle}`);
    if (commands.length === 0) continue;
    await netlink.run([{ do: 'nft', commands: commands.join('\n'), tolerate: ['ENOENT'] }]);
  }
}

const nameOf = ({ family, chain }: Pick<Door, 'family' | 'chain'>): string =>
  `${family} filter ${chain}`;

async function list(
  netlink: Netlink,
  door: Pick<Door, 'family' | 'chain'>,
  handles = false,
): Promise<string | undefined> {
  const commands = `list chain ${nameOf(door)}`;
  const [found] = await netlink.run([
    { do: 'nft', commands, format: { handles }, tolerate: ['ENOENT'] },
  ]);
  return found;
}

/** An iptables FORWARD chain that drops, and nobody's door in it. */
async function droppingPolicies(
  netlink: Netlink,
  open: readonly Door[],
): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const [family, tool] of [['ip', 'iptables'], ['ip6', 'ip6tables']] as const) {
    if (open.some((door) => door.family === family)) continue;
    const forward = await list(netlink, { family, chain: 'FORWARD' });
    if (forward?.includes('policy drop') !== true) continue;
    problems.push(
      `the policy of ${tool}'s FORWARD is DROP: containers reach nothing outside. Allow it: ` +
        `${tool} -I FORWARD -i BRIDGE -j ACCEPT; ${tool} -I FORWARD -o BRIDGE -j ACCEPT`);
  }
  return problems;
}

async function firewalld(netlink: Netlink, bridges: readonly string[]): Promise<readonly string[]> {
  const [tables] = await netlink.run([{ do: 'nft', commands: 'list tables' }]);
  if (!tables.split('\n').includes('table inet firewalld')) return [];
  const names = bridges.map((bridge) => `--add-interface=${bridge.replaceAll('"', '')}`);
  return [
    'firewalld rejects what it forwards for interfaces of no zone. Put our bridges in one: ' +
      `firewall-cmd --permanent --zone=trusted ${names.join(' ')} && firewall-cmd --reload`,
  ];
}

function legacy(): readonly string[] {
  if (!existsSync(legacyTables)) return [];
  if (!readFileSync(legacyTables, 'utf8').split('\n').includes('filter')) return [];
  return [
    'the legacy iptables has a filter table here, which our rules do not beat. Should ' +
      '`iptables-legacy -S FORWARD` show a policy of DROP, add: iptables-legacy -I FORWARD -i ' +
      'BRIDGE -j ACCEPT; iptables-legacy -I FORWARD -o BRIDGE -j ACCEPT',
  ];
}
