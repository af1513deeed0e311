/** The three networks that always exist: bridge, host and none. */
import { invalidParameter } from '../../api-spec/errors.js';
import { optionNames } from '../../netplugins/bridge/options.js';
import type { Statement } from '../store/store.js';
import { randomId } from '../random-id.js';
import type { Context } from './context.js';
import { pickSubnet, usedSubnets } from './create.js';
import {
  contains, defaultGateway, gatewayKeys, overlaps, parseSubnet, subnetText, type AddressPool,
} from './ipam.js';
import { dropNetwork, saveNetwork, type NetworkRecord } from './records.js';

/** What the configuration says of the default bridge. */
export interface DefaultBridgeSettings {
  /** Another link's name: one that the user made. `none` for no default bridge at all. */
  readonly bridge?: string;
  /** Its address as CIDR, `172.17.0.1/16`. */
  readonly bip?: string;
  /** Containers get addresses of this part only. */
  readonly fixedCidr?: string;
  /** The gateway of containers, when that is not the bridge. */
  readonly defaultGateway?: string;
  readonly icc: boolean;
  readonly masquerade: boolean;
  /** Host address of ports published without one. */
  readonly hostBinding: string;
}

/** Names that the default bridge may have, the first that is free or ours. */
const linkNames = ['docker0', 'tsdocker0', 'tsdocker1', 'tsdocker2', 'tsdocker3'];
/** `--bridge none`: there is no default bridge. */
const noBridge = 'none';
const usualSubnet = '172.17.0.0/16';

/** Brings the three into the book and the store; the kernel is `reconcile`'s to change. */
export async function ensurePredefined(
  context: Context,
  rootId: string,
  settings: DefaultBridgeSettings,
): Promise<void> {
  const statements: Statement[] = [];
  const add = (record: NetworkRecord): void => {
    context.book.add(record);
    statements.push(saveNetwork(record));
  };
  if (context.book.byName('none') === undefined) add(plain('none', 'null'));
  if (context.book.byName('host') === undefined) add(plain('host', 'host'));
  const before = context.book.byName('bridge');
  if (settings.bridge === noBridge) {
    if (before !== undefined) context.book.remove(before.spec.id);
    if (before !== undefined) statements.push(dropNetwork(before.spec.id));
    if (statements.length > 0) await context.store.commit(statements, 'full');
    return;
  }
  const bridge = await designBridge(context, rootId, { settings, before });
  if (JSON.stringify(bridge) !== JSON.stringify(before)) add(bridge);
  if (statements.length > 0) await context.store.commit(statements, 'full');
}

function plain(name: string, driver: string): NetworkRecord {
  return {
    spec: {
      id: randomId(),
      name, driver, internal: false, subnets: [], options: {}, linkName: '', mtu: 0,
    },
    created: new Date().toISOString(),
    attachable: false,
    configOnly: false,
    configFrom: '',
    enableIPv6: false,
    labels: {},
    ipamDriver: 'default',
    ipamOptions: null,
    ipamConfig: null,
    pools: [],
    hasOwnSubnets: false,
    isPredefined: true,
  };
}

async function designBridge(
  context: Context,
  rootId: string,
  given: { readonly settings: DefaultBridgeSettings; readonly before: NetworkRecord | undefined },
): Promise<NetworkRecord> {
  const { settings, before } = given;
  const base = before ?? plain('bridge', 'bridge');
  const owner = `tsdocker:${rootId}:${base.spec.id}`;
  const linkName = settings.bridge ?? (await freeLinkName(context, owner));
  const pool = withGateway(await choosePool(context, { settings, before, owner }), settings);
  const subnet = { family: 4 as const, cidr: pool.subnet, gateway: pool.gateway };
  return {
    ...base,
    spec: {
      ...base.spec,
      subnets: [subnet],
      linkName,
      mtu: context.settings.mtu,
      options: {
        'com.docker.network.bridge.default_bridge': 'true',
        [optionNames.icc]: String(settings.icc),
        [optionNames.masquerade]: String(settings.masquerade),
        [optionNames.hostBinding]: settings.hostBinding,
        [optionNames.name]: linkName,
        [optionNames.mtu]: String(context.settings.mtu),
      },
    },
    ipamConfig: [{
      Subnet: pool.subnet,
      Gateway: pool.gateway,
      ...(settings.defaultGateway === undefined ? {} : { AuxiliaryAddresses: pool.auxiliary }),
    }],
    pools: [pool],
  };
}

/** docker0, unless another engine has it: then the first of our own names, with a warning. */
async function freeLinkName(context: Context, owner: string): Promise<string> {
  const [links] = await context.netlink.run([{ do: 'links' }]);
  const free = linkNames.find((name) => {
    const link = links.find((each) => each.name === name);
    return link === undefined || link.alias === owner;
  });
  if (free === undefined) throw invalidParameter('no free name for the default bridge');
  if (free !== linkNames[0]) {
    context.warn(`docker0 belongs to another engine: the default bridge is ${free}`);
  }
  return free;
}

async function choosePool(
  context: Context,
  given: {
    readonly settings: DefaultBridgeSettings;
    readonly before: NetworkRecord | undefined;
    readonly owner: string;
  },
): Promise<AddressPool> {
  const { settings, before, owner } = given;
  const bip = settings.bip ?? (await addressOf(context, settings.bridge));
  if (bip !== undefined) {
    const asked = parseSubnet(bip);
    if (asked === undefined) {
      throw invalidParameter(`invalid --bip ${bip}: it should be an address as CIDR`);
    }
    const gateway = bip.replace(/\/.*$/, '');
    return withRange({ subnet: subnetText(asked), gateway, auxiliary: {} }, settings);
  }
  const usual = parseSubnet(before?.pools[0]?.subnet ?? usualSubnet);
  if (usual === undefined) throw new Error('the default bridge has no subnet');
  const [links, routes] = await context.netlink.run([{ do: 'links' }, { do: 'routes' }]);
  const own = links.find(({ alias }) => alias === owner)?.index;
  const isRouted = routes.some(({ destination, index }) => {
    const subnet = parseSubnet(destination);
    return index !== own && subnet !== undefined && overlaps(usual, subnet);
  });
  const subnetBefore = before?.pools[0]?.subnet;
  const others = usedSubnets(context).filter((subnet) => subnetText(subnet) !== subnetBefore);
  const isTaken = isRouted || others.some((other) => overlaps(usual, other));
  const subnet = isTaken ? await pickSubnet(context, others) : usual;
  if (isTaken) {
    context.warn(`${subnetText(usual)} is in use: the default bridge has ${subnetText(subnet)}`);
  }
  const pool = { subnet: subnetText(subnet), gateway: defaultGateway(subnet), auxiliary: {} };
  return withRange(pool, settings);
}

/** The IPv4 address of a bridge that the user made, as CIDR. */
async function addressOf(
  { netlink }: Context,
  name: string | undefined,
): Promise<string | undefined> {
  if (name === undefined) return undefined;
  const [links, addresses] = await netlink.run([{ do: 'links' }, { do: 'addresses' }]);
  const index = links.find((link) => link.name === name)?.index;
  return addresses.find((each) => each.index === index && !each.cidr.includes(':'))?.cidr;
}

function withGateway(pool: AddressPool, settings: DefaultBridgeSettings): AddressPool {
  const { defaultGateway: gateway } = settings;
  if (gateway === undefined) return pool;
  const subnet = parseSubnet(pool.subnet);
  if (subnet === undefined || !contains(subnet, gateway)) {
    throw invalidParameter(`invalid --default-gateway ${gateway}: it is not in ${pool.subnet}`);
  }
  return { ...pool, auxiliary: { [gatewayKeys[4]]: gateway } };
}

function withRange(pool: AddressPool, { fixedCidr }: DefaultBridgeSettings): AddressPool {
  if (fixedCidr === undefined) return pool;
  const range = parseSubnet(fixedCidr);
  const subnet = parseSubnet(pool.subnet);
  if (range === undefined || subnet === undefined || !contains(subnet, range)) {
    throw invalidParameter(`invalid --fixed-cidr ${fixedCidr}: it is no part of ${pool.subnet}`);
  }
  return { ...pool, range: subnetText(range) };
}
