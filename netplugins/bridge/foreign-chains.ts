/**
 * Beside a real Docker, whose FORWARD chain drops: an accept in one's own table does not beat
 * another's drop, so our bridges are let through in DOCKER-USER, the chain that Docker keeps for
 * others. Only iifname/oifname, counter and accept are used: what `iptables -S` can still list.
 */
import type { Netlink } from '../../native/netlink/index.js';

/** What was found and done, to be handed back the next time. */
export interface Admission {
  /** Listing of the chain when all was in order; undefined where there is none. */
  readonly chain: string | undefined;
}

const chain = 'ip filter DOCKER-USER';

/** Lets `bridges` (quoted names) through; removes rules of theirs that nobody needs any more. */
export async function admitBridges(
  netlink: Netlink,
  bridges: readonly string[],
  before: Admission,
  warn: (message: string) => void,
): Promise<Admission> {
  const list = { do: 'nft', commands: `list chain ${chain}`, tolerate: ['ENOENT'] } as const;
  const [found] = await netlink.run([list]);
  if (found === undefined) return { chain: undefined };
  const missing = bridges.flatMap((bridge) =>
    (['iifname', 'oifname'] as const)
      .filter((side) => !found.includes(`${side} ${bridge} counter`))
      .map((side) => `insert rule ${chain} ${side} ${bridge} counter accept`));
  if (missing.length === 0) return { chain: found };
  await netlink.run([{ do: 'nft', commands: missing.join('\n') }]);
  if (before.chain === undefined) warn('a Docker Engine is here too: DOCKER-USER lets us through');
  return { chain: found };
}

/** Takes a bridge's rules out of DOCKER-USER; nothing is done where there are none. */
export async function dismissBridge(netlink: Netlink, bridge: string): Promise<void> {
  const [found] = await netlink.run([{
    do: 'nft',
    commands: `list chain ${chain}`,
    format: { handles: true },
    tolerate: ['ENOENT'],
  }]);
  const commands = (found ?? '')
    .split('\n')
    .filter((line) => line.includes(`ifname "${bridge}" counter`))
    .flatMap((line) => /# handle (\d+)$/.exec(line)?.[1] ?? [])
    .map((handle) => `delete rule ${chain} handle ${handle}`);
  if (commands.length > 0) {
    await netlink.run([{ do: 'nft', commands: commands.join('\n'), tolerate: ['ENOENT'] }]);
  }
}
