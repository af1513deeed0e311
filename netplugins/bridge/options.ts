/** The bridge driver's options, read as Docker reads them and refused in its words. Pure. */
import { isIPv4 } from 'node:net';
import { invalidParameter } from '../../api-spec/errors.js';

const prefix = 'com.docker.network';

/** Names of the options that this driver honours; others are kept and ignored, as Docker does. */
export const optionNames = {
  name: `${prefix}.bridge.name`,
  icc: `${prefix}.bridge.enable_icc`,
  masquerade: `${prefix}.bridge.enable_ip_masquerade`,
  hostBinding: `${prefix}.bridge.host_binding_ipv4`,
  inhibit: `${prefix}.bridge.inhibit_ipv4`,
  gatewayMode4: `${prefix}.bridge.gateway_mode_ipv4`,
  gatewayMode6: `${prefix}.bridge.gateway_mode_ipv6`,
  mtu: `${prefix}.driver.mtu`,
  interfacePrefix: `${prefix}.container_iface_prefix`,
} as const;

/** What the options mean. */
export interface BridgeOptions {
  /** Link name that the user chose. */
  readonly name?: string;
  /** Containers of the network may talk to each other. */
  readonly icc: boolean;
  readonly masquerade: boolean;
  /** Host address of ports published without one. */
  readonly hostBinding: string;
  /** The bridge gets no address of its own. */
  readonly inhibit: boolean;
  readonly mtuBytes?: number;
  readonly interfacePrefix: string;
}

const truths: Readonly<Record<string, boolean>> = {
  1: true, t: true, T: true, TRUE: true, true: true, True: true,
  0: false, f: false, F: false, FALSE: false, false: false, False: false,
};

/** IFNAMSIZ, with the NUL. */
const maxLinkNameBytes = 15;
const smallestMtuBytes = 68;
const largestMtuBytes = 65_535;

/** Of a network's record, which never changes: a start asks four times. */
const known = new WeakMap<Readonly<Record<string, string>>, BridgeOptions>();

/** Reads driver options; `ApiError` 400 for a value that means nothing. */
export function parseBridgeOptions(options: Readonly<Record<string, string>>): BridgeOptions {
  const found = known.get(options) ?? parse(options);
  known.set(options, found);
  return found;
}

function parse(options: Readonly<Record<string, string>>): BridgeOptions {
  const flag = (key: string, otherwise: boolean): boolean => {
    const value = options[key];
    if (value === undefined) return otherwise;
    const truth = truths[value];
    if (truth === undefined) throw unparsable(key, value, 'strconv.ParseBool');
    return truth;
  };
  const mtu = options[optionNames.mtu];
  const hostBinding = options[optionNames.hostBinding] ?? '0.0.0.0';
  if (!isIPv4(hostBinding)) {
    throw invalidParameter(
      `failed to parse ${optionNames.hostBinding} value: ${hostBinding} (nil ip)`,
    );
  }
  for (const key of [optionNames.gatewayMode4, optionNames.gatewayMode6]) {
    const mode = options[key] ?? '';
    if (mode !== '' && mode !== 'nat') throw invalidParameter(`unknown gateway mode ${mode}`);
  }
  const name = options[optionNames.name];
  if (name !== undefined) checkLinkName(name);
  return {
    ...(name === undefined ? {} : { name }),
    icc: flag(optionNames.icc, true),
    masquerade: flag(optionNames.masquerade, true),
    hostBinding,
    inhibit: flag(optionNames.inhibit, false),
    ...(mtu === undefined ? {} : { mtuBytes: parseMtu(mtu) }),
    interfacePrefix: options[optionNames.interfacePrefix] ?? 'eth',
  };
}

function parseMtu(value: string): number {
  if (!/^[+-]?\d+$/.test(value)) throw unparsable(optionNames.mtu, value, 'strconv.Atoi');
  const mtuBytes = Number(value);
  if (mtuBytes !== 0 && (mtuBytes < smallestMtuBytes || mtuBytes > largestMtuBytes)) {
    throw invalidParameter(`invalid MTU number: ${value}`);
  }
  return mtuBytes;
}

function checkLinkName(name: string): void {
  // Only names that are safe in a path of /proc/sys and in an nft string.
  if (name.length > maxLinkNameBytes || !/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name)) {
    throw invalidParameter(`invalid bridge name: ${name}: 1 to 15 of A-Z a-z 0-9 _ . -`);
  }
}

function unparsable(key: string, value: string, parser: string): Error {
  return invalidParameter(
    `failed to parse ${key} value: ${value} (${parser}: parsing "${value}": invalid syntax)`,
  );
}
