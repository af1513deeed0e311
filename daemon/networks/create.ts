/** A new network: refused in Docker's words, or chosen, recorded and made. */
import { isIP } from 'node:net';
import type {
  IPAMConfig, NetworkCreateRequest, NetworkCreateResponse,
} from '../../api-spec/index.js';
import {
  conflict, forbidden, invalidParameter, notFound, systemError,
} from '../../api-spec/errors.js';
import { parseBridgeOptions } from '../../netplugins/bridge/index.js';
import type { NetworkSpec } from '../../netplugins/plugin.js';
import { randomId } from '../random-id.js';
import { networkEvent, pluginOf, type Context } from './context.js';
import {
  addressNumber, contains, defaultGateway, freeSubnet, overlaps, parseSubnet, subnetText,
  type AddressPool, type Subnet,
} from './ipam.js';
import { dropNetwork, saveNetwork, type NetworkRecord } from './records.js';

const predefined = new Set(['bridge', 'host', 'none', 'default']);
const maxNameBytes = 4096;

/** Makes a network; `ApiError` 400, 403, 404 or 409 for what is refused. */
export async function createNetwork(
  context: Context,
  body: NetworkCreateRequest,
): Promise<NetworkCreateResponse> {
  refuse(context, body);
  const record = await design(context, configured(context, body));
  if (!record.configOnly) pluginOf(context, record).validate(record.spec);
  const event = context.events.stamp(networkEvent('create', record));
  // The name is taken from here on, for others that come while this one is written.
  context.book.add(record);
  try {
    await context.store.commit([saveNetwork(record), ...event.statements], 'full');
    if (!record.configOnly) await makeOrForget(context, record);
  } catch (error) {
    context.book.remove(record.spec.id);
    throw error;
  }
  event.announce();
  return { Id: record.spec.id, Warning: '' };
}

async function makeOrForget(context: Context, record: NetworkRecord): Promise<void> {
  try {
    await pluginOf(context, record).createNetwork(record.spec);
  } catch (error) {
    await pluginOf(context, record).removeNetwork(record.spec);
    await context.store.commit([dropNetwork(record.spec.id)], 'full');
    throw error;
  }
}

/** The request with what the network that it takes its settings from says. */
function configured({ book }: Context, body: NetworkCreateRequest): NetworkCreateRequest {
  const from = body.ConfigFrom?.Network ?? '';
  if (from === '') return body;
  const config = book.byName(from);
  if (config?.configOnly !== true) {
    throw notFound(`configuration network "${from}" does not exist`);
  }
  return {
    ...body,
    EnableIPv6: config.enableIPv6,
    Labels: { ...body.Labels, ...config.labels },
    Options: { ...config.spec.options },
    IPAM: {
      ...(config.ipamOptions === null ? {} : { Options: config.ipamOptions }),
      Config: [...(config.ipamConfig ?? [])],
    },
  };
}

function refuse(context: Context, body: NetworkCreateRequest): void {
  const name = body.Name ?? '';
  if (name.trim() === '' || name.length > maxNameBytes) {
    throw invalidParameter(`invalid name: ${name}`);
  }
  if (predefined.has(name)) {
    throw forbidden(`operation is not permitted on predefined ${name} network `);
  }
  if (body.Scope === 'swarm') {
    throw forbidden('cannot create a swarm scoped network when swarm is not active');
  }
  if (body.Ingress === true) throw forbidden('Ingress network can only be global scope network');
  if (context.book.byName(name) !== undefined) {
    throw conflict(`network with name ${name} already exists`);
  }
  refuseDrivers(context, body.Driver ?? '', body.IPAM?.Driver ?? '');
  refuseIpam(body.IPAM?.Config ?? []);
}

function refuseDrivers({ plugins }: Context, driver: string, ipamDriver: string): void {
  if (driver === 'host' || driver === 'null') {
    throw forbidden(`only one instance of "${driver}" network is allowed`);
  }
  if (!plugins.has(driver === '' ? 'bridge' : driver)) {
    throw notFound(`plugin "${driver}" not found`);
  }
  if (ipamDriver !== '' && ipamDriver !== 'default') {
    throw notFound(`plugin "${ipamDriver}" not found`);
  }
}

/** All faults of a request at once, as Docker tells them. */
function refuseIpam(configs: readonly IPAMConfig[]): void {
  const faults = configs.flatMap(configFaults);
  if (faults.length > 0) throw invalidParameter(`invalid network config:\n${faults.join('\n')}`);
}

function configFaults(config: IPAMConfig): readonly string[] {
  const text = config.Subnet ?? '';
  const subnet = parseSubnet(text);
  if (subnet === undefined) return [`invalid subnet ${text}: invalid CIDR block notation`];
  const canonical = subnetText(subnet);
  if (addressNumber(text.replace(/\/.*$/, '')) !== subnet.base) {
    return [`invalid subnet ${text}: it should be ${canonical}`];
  }
  const faults: string[] = [];
  const range = config.IPRange ?? '';
  if (range !== '') faults.push(...rangeFaults(subnet, range));
  const gateway = config.Gateway ?? '';
  const outside = `parent subnet ${canonical} doesn't contain this address`;
  if (gateway !== '' && !contains(subnet, gateway)) {
    const why = isIP(gateway) === 0 ? 'invalid address' : outside;
    faults.push(`invalid gateway ${gateway}: ${why}`);
  }
  for (const [name, address] of Object.entries(config.AuxiliaryAddresses ?? {})) {
    if (!contains(subnet, address)) faults.push(`invalid auxiliary address ${name}: ${outside}`);
  }
  return faults;
}

function rangeFaults(subnet: Subnet, text: string): readonly string[] {
  const range = parseSubnet(text);
  if (range === undefined) return [`invalid ip-range ${text}: invalid CIDR block notation`];
  if (contains(subnet, range)) return [];
  return [
    `invalid ip-range ${text}: parent subnet ${subnetText(subnet)} doesn't contain ip-range`,
  ];
}

/** Chooses what the user left open. */
async function design(context: Context, body: NetworkCreateRequest): Promise<NetworkRecord> {
  const id = randomId();
  const usual = body.ConfigOnly === true ? 'null' : 'bridge';
  const driver = body.Driver === undefined || body.Driver === '' ? usual : body.Driver;
  const options = { ...context.settings.defaultOptions[driver], ...body.Options };
  const parsed = parseBridgeOptions(options);
  const asked = body.IPAM?.Config ?? [];
  const hasSix = body.EnableIPv6 === true;
  const { given, chosen } =
    body.ConfigOnly === true
      ? { given: [], chosen: [] }
      : await choosePools(context, asked, hasSix);
  const pools = [...given, ...chosen];
  const spec: NetworkSpec = {
    id,
    name: body.Name ?? '',
    driver,
    internal: body.Internal === true,
    subnets: pools.map(({ subnet, gateway }) => ({
      family: subnet.includes(':') ? 6 : 4, cidr: subnet, gateway,
    })),
    options,
    linkName: parsed.name ?? `br-${id.slice(0, 12)}`,
    mtu: parsed.mtuBytes ?? context.settings.mtu,
  };
  return {
    spec,
    created: new Date().toISOString(),
    attachable: body.Attachable === true,
    configOnly: body.ConfigOnly === true,
    configFrom: body.ConfigFrom?.Network ?? '',
    enableIPv6: hasSix,
    labels: body.Labels ?? {},
    ipamDriver: 'default',
    ipamOptions: body.IPAM?.Options ?? null,
    ipamConfig: body.ConfigOnly === true && asked.length === 0 ? null : [
      ...asked, ...chosen.map(({ subnet, gateway }) => ({ Subnet: subnet, Gateway: gateway })),
    ],
    pools,
    hasOwnSubnets: asked.length > 0,
    isPredefined: false,
  };
}

/** Those of the user, IPv6 only where it is switched on, and one for a family without any. */
async function choosePools(
  context: Context,
  asked: readonly IPAMConfig[],
  hasSix: boolean,
): Promise<{ readonly given: readonly AddressPool[]; readonly chosen: readonly AddressPool[] }> {
  const used = usedSubnets(context);
  const given = asked
    .filter(({ Subnet = '' }) => hasSix || !Subnet.includes(':'))
    .flatMap(poolOf);
  const subnets = given.flatMap(({ subnet }) => parseSubnet(subnet) ?? []);
  const clashes = subnets.some((subnet, i) =>
    [...used, ...subnets.slice(0, i)].some((other) => overlaps(subnet, other)));
  if (clashes) throw forbidden('Pool overlaps with other one on this address space');
  for (const { gateway, auxiliary } of given) refuseAuxiliary(gateway, auxiliary);
  const families = hasSix ? ([4, 6] as const) : ([4] as const);
  const missing = families.filter((family) => !subnets.some((each) => each.family === family));
  const chosen: AddressPool[] = [];
  for (const family of missing) {
    const free = await pickSubnet(context, [...used, ...subnets], family);
    chosen.push({ subnet: subnetText(free), gateway: defaultGateway(free), auxiliary: {} });
  }
  return { given, chosen };
}

function refuseAuxiliary(gateway: string, auxiliary: AddressPool['auxiliary']): void {
  for (const [name, address] of Object.entries(auxiliary)) {
    if (address !== gateway) continue;
    throw systemError(
      `failed to allocate secondary ip address (${name}:${address}): Address already in use`);
  }
}

function poolOf(config: IPAMConfig): readonly AddressPool[] {
  const subnet = parseSubnet(config.Subnet ?? '');
  if (subnet === undefined) return [];
  const rangeText = config.IPRange ?? '';
  const range = rangeText === '' ? undefined : parseSubnet(rangeText);
  const gateway = config.Gateway ?? '';
  return [{
    subnet: subnetText(subnet),
    ...(range === undefined ? {} : { range: subnetText(range) }),
    gateway: gateway === '' ? defaultGateway(subnet, range) : gateway,
    auxiliary: config.AuxiliaryAddresses ?? {},
  }];
}

/** Subnets that networks of this engine have. */
export function usedSubnets({ book }: Context): readonly Subnet[] {
  return book
    .all()
    .flatMap(({ pools }) => pools.flatMap(({ subnet }) => parseSubnet(subnet) ?? []));
}

/** A subnet of the default ranges that neither a network nor a route of the host uses. */
export async function pickSubnet(
  context: Context,
  used: readonly Subnet[],
  family: 4 | 6 = 4,
): Promise<Subnet> {
  const [routes] = await context.netlink.run([{ do: 'routes' }]);
  const routed = routes.flatMap(({ destination }) => parseSubnet(destination) ?? []);
  const ranges = context.settings.pools.filter(({ base }) => base.includes(':') === (family === 6));
  const free = freeSubnet(ranges, [...used, ...routed]);
  if (free === undefined) {
    throw invalidParameter('all predefined address pools have been fully subnetted');
  }
  return free;
}
