/** The steps that make a bridge and an endpoint's veth pair. Pure. */
import type { Netns, Step } from '../../native/netlink/index.js';
import type { EndpointSpec, NetworkSpec } from '../plugin.js';
import { ownerOf } from './firewall-text.js';
import { parseBridgeOptions } from './options.js';

/** Host side of an endpoint's pair. */
export function hostLinkName(endpointId: string): string {
  return `veth${endpointId.slice(0, 7)}`;
}

/** `02:42` and the address's four bytes, as Docker derives it. */
export function macOf(address: string): string {
  const bytes = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  return ['02', '42', ...bytes].join(':');
}

/** Makes the bridge itself, down and without addresses; EEXIST when the name is taken. */
export function bridgeSteps(rootId: string, network: NetworkSpec): readonly Step[] {
  const four = network.subnets.find(({ family }) => family === 4);
  return [
    {
      do: 'addLink',
      kind: 'bridge',
      name: network.linkName,
      up: false,
      ...(four === undefined ? {} : { mac: macOf(four.gateway) }),
    },
    { do: 'setLink', name: network.linkName, alias: ownerOf(rootId, network.id) },
  ];
}

/** Brings a bridge into its state, whatever it was before; idempotent. */
export function bridgeStateSteps(network: NetworkSpec, hasFirewall: boolean): readonly Step[] {
  const name = network.linkName;
  const hasSix = network.subnets.some(({ family }) => family === 6);
  const options = parseBridgeOptions(network.options);
  const link = name.replaceAll('.', '/');
  const steps: Step[] = [
    sysctl(`net.ipv6.conf.${link}.disable_ipv6`, hasSix ? '0' : '1'),
    sysctl(`net.ipv6.conf.${link}.accept_ra`, '0'),
  ];
  if (network.mtu > 0) steps.push({ do: 'setLink', name, mtuBytes: network.mtu });
  if (!options.inhibit) {
    for (const { gateway, cidr } of network.subnets) {
      const address = `${gateway}/${cidr.split('/')[1]}`;
      steps.push({ do: 'addAddress', link: name, cidr: address, tolerate: ['EEXIST'] });
    }
  }
  // Only under the table that drops 127/8 from outside: see `martians`.
  if (hasFirewall) steps.push(sysctl(`net.ipv4.conf.${link}.route_localnet`, '1'));
  return [...steps, { do: 'setLink', name, up: true }];
}

/** What the host needs to route for any bridge. */
export function hostSteps(hasSix: boolean): readonly Step[] {
  const steps: Step[] = [{ do: 'sysctl', name: 'net.ipv4.ip_forward', value: '1' }];
  if (hasSix) steps.push(sysctl('net.ipv6.conf.all.forwarding', '1'));
  return steps;
}

/** An endpoint: the pair in one message, the rest inside the container's namespace. */
export function joinSteps(
  rootId: string,
  network: NetworkSpec,
  endpoint: EndpointSpec,
  netns: Netns,
): readonly Step[] {
  const name = hostLinkName(endpoint.id);
  const mtu = network.mtu > 0 ? { mtuBytes: network.mtu } : {};
  const isIsolated = !parseBridgeOptions(network.options).icc;
  return [
    {
      do: 'addLink',
      kind: 'veth',
      name,
      up: true,
      master: network.linkName,
      ...mtu,
      peer: { name: endpoint.ifname, netns, mac: endpoint.mac, ...mtu },
    },
    {
      do: 'setLink',
      name,
      alias: ownerOf(rootId, endpoint.id),
      ...(isIsolated ? { isolated: true } : {}),
    },
    ...insideSteps(endpoint, netns),
  ];
}

function insideSteps(endpoint: EndpointSpec, netns: Netns): readonly Step[] {
  const link = endpoint.ifname;
  const hasSix = endpoint.addresses.some((address) => address.includes(':'));
  const own = Object.entries(endpoint.sysctls).map(([name, value]): Step => ({
    do: 'sysctl', name: name.replaceAll('IFNAME', link), value, netns,
  }));
  return [
    { ...sysctl(`net.ipv6.conf.${link}.disable_ipv6`, hasSix ? '0' : '1'), netns },
    { ...sysctl(`net.ipv6.conf.${link}.accept_ra`, '0'), netns },
    ...own,
    { do: 'setLink', name: 'lo', up: true, netns },
    ...[...endpoint.addresses, ...endpoint.linkLocal ?? []].map((cidr): Step => ({
      do: 'addAddress', link, cidr, netns,
    })),
    { do: 'setLink', name: link, up: true, netns },
    ...endpoint.gateways.map((gateway): Step => ({
      do: 'addRoute', destination: 'default', gateway, link, netns,
    })),
  ];
}

/** A kernel without IPv6 has no such file, and needs none. */
function sysctl(name: string, value: string): Step {
  return { do: 'sysctl', name, value, tolerate: ['ENOENT', 'ENOTDIR'] };
}
