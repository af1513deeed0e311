import type {
  IPAMConfig,
  NetworkCreateRequest,
  NetworkCreateResponse,
} from '../../api-spec/network.js';
import type { Call, Command } from '../command.js';
import { pairsOf } from '../create-options/pairs.js';
import { CommandError } from '../errors.js';
import { flag } from '../flags.js';
import type { GivenFlags } from '../flags.js';
import { blockOf, isInside } from './subnet.js';

/** `network create`: makes a network and prints its id. */
export const createNetworkCommand: Command = {
  use: 'create [OPTIONS] NETWORK',
  about: 'Make a network',
  flags: [
    flag('switch', 'attachable', 'Containers may be attached by hand'),
    flag('list', 'aux-address', 'Address that is taken already (name=address)', { takes: 'map' }),
    flag('text', 'config-from', 'Network to take the configuration from'),
    flag('switch', 'config-only', 'Only a configuration, for others to take'),
    flag('text', 'driver', 'Driver of the network', { short: 'd', otherwise: 'bridge' }),
    flag('strings', 'gateway', 'Gateway of a subnet'),
    flag('switch', 'ingress', 'Accepted for compatibility', { hidden: true }),
    flag('switch', 'internal', 'No way to the outside'),
    flag('strings', 'ip-range', 'Part of a subnet to give addresses from'),
    flag('text', 'ipam-driver', 'Who gives addresses', { otherwise: 'default' }),
    flag('list', 'ipam-opt', 'Option of the one who gives addresses', { takes: 'map' }),
    flag('switch', 'ipv4', 'Addresses of IPv4', { otherwise: 'true' }),
    flag('switch', 'ipv6', 'Addresses of IPv6'),
    flag('list', 'label', 'Label (key or key=value)'),
    flag('list', 'opt', 'Option of the driver', { short: 'o', takes: 'map' }),
    flag('text', 'scope', 'Scope of the network'),
    flag('strings', 'subnet', 'Subnet (address/length)'),
  ],
  operands: [1, 1],
  run: createNetwork,
};

async function createNetwork({ engine, flags, operands, print, complain }: Call): Promise<void> {
  const from = flags.text('config-from');
  const body: NetworkCreateRequest = {
    Name: operands[0] ?? '',
    Driver: flags.text('driver'),
    Options: pairsOf(flags.list('opt')),
    Labels: pairsOf(flags.list('label')),
    IPAM: {
      Driver: flags.text('ipam-driver'),
      Config: planSubnets(flags),
      Options: pairsOf(flags.list('ipam-opt')),
    },
    Internal: flags.switch('internal'),
    Attachable: flags.switch('attachable'),
    Ingress: flags.switch('ingress'),
    ConfigOnly: flags.switch('config-only'),
    ...(flags.text('scope') === '' ? {} : { Scope: flags.text('scope') }),
    ...(flags.isSet('ipv4') ? { EnableIPv4: flags.switch('ipv4') } : {}),
    ...(flags.isSet('ipv6') ? { EnableIPv6: flags.switch('ipv6') } : {}),
    ...(from === '' ? {} : { ConfigFrom: { Network: from } }),
  };
  const made = await engine.json<NetworkCreateResponse>('POST', '/networks/create', { body });
  if (made.Warning !== '') complain(`WARNING: ${made.Warning}\n`);
  print(`${made.Id}\n`);
}

type Draft = { -readonly [Key in keyof IPAMConfig]: IPAMConfig[Key] };

/** Gives each range, gateway and taken address to the subnet that holds it. */
function planSubnets(flags: GivenFlags): readonly IPAMConfig[] {
  const subnets = flags.list('subnet').map((text): Draft => ({ Subnet: text }));
  const within = (address: string, what: string): Draft => {
    const found = subnets.find(({ Subnet = '' }) => isInside(blockOf(address), blockOf(Subnet)));
    if (found === undefined) throw new CommandError(`no matching subnet for ${what} ${address}`);
    return found;
  };
  if (
    flags.list('ip-range').length > subnets.length || flags.list('gateway').length > subnets.length
  ) {
    throw new CommandError('every ip-range or gateway must have a corresponding subnet');
  }
  for (const range of flags.list('ip-range')) within(range, 'range').IPRange = range;
  for (const gateway of flags.list('gateway')) within(gateway, 'gateway').Gateway = gateway;
  for (const [name, address] of Object.entries(pairsOf(flags.list('aux-address')))) {
    const subnet = within(address, 'aux-address');
    subnet.AuxiliaryAddresses = { ...subnet.AuxiliaryAddresses, [name]: address };
  }
  return subnets;
}
