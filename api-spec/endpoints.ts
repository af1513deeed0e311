/** A container's place on its networks. */
import { Type } from 'typebox';
import { PortMap } from './host-config.js';
import { flag, list, map, nullable, optional, text, whole, type Shape } from './shape.js';

/** Addresses that the user wants. */
export const EndpointIPAMConfig = Type.Object({
  IPv4Address: optional(text),
  IPv6Address: optional(text),
  LinkLocalIPs: optional(list(text)),
});
/** Addresses that the user wants. */
export type EndpointIPAMConfig = Shape<typeof EndpointIPAMConfig>;

/**
 * One endpoint: what was asked (the first six fields) and what was given. The same shape in
 * requests and responses, as in Docker; what is not known yet is missing or null.
 */
export const EndpointSettings = Type.Object({
  IPAMConfig: optional(nullable(EndpointIPAMConfig)),
  Links: optional(nullable(list(text))),
  Aliases: optional(nullable(list(text))),
  MacAddress: optional(text),
  DriverOpts: optional(nullable(map(text))),
  GwPriority: optional(whole),
  NetworkID: optional(text),
  EndpointID: optional(text),
  Gateway: optional(text),
  IPAddress: optional(text),
  IPPrefixLen: optional(whole),
  IPv6Gateway: optional(text),
  GlobalIPv6Address: optional(text),
  GlobalIPv6PrefixLen: optional(whole),
  DNSNames: optional(nullable(list(text))),
});
/** One endpoint: what was asked and what was given. */
export type EndpointSettings = Shape<typeof EndpointSettings>;

/** The networks to join at create; keys are names, ids or id prefixes. */
export const NetworkingConfig = Type.Object({ EndpointsConfig: optional(map(EndpointSettings)) });
/** The networks to join at create; keys are names, ids or id prefixes. */
export type NetworkingConfig = Shape<typeof NetworkingConfig>;

/** An address with its prefix length. */
export const Address = Type.Object({ Addr: text, PrefixLen: whole });
/** An address with its prefix length. */
export type Address = Shape<typeof Address>;

/**
 * The networks as inspect shows them. The fields from `Bridge` on are those of the default bridge
 * at the top level: gone from Docker 29, kept here because clients still read them.
 */
export const NetworkSettings = Type.Object({
  SandboxID: text,
  SandboxKey: text,
  Ports: PortMap,
  Networks: map(EndpointSettings),
  Bridge: optional(text),
  HairpinMode: optional(flag),
  LinkLocalIPv6Address: optional(text),
  LinkLocalIPv6PrefixLen: optional(whole),
  SecondaryIPAddresses: optional(nullable(list(Address))),
  SecondaryIPv6Addresses: optional(nullable(list(Address))),
  EndpointID: optional(text),
  Gateway: optional(text),
  GlobalIPv6Address: optional(text),
  GlobalIPv6PrefixLen: optional(whole),
  IPAddress: optional(text),
  IPPrefixLen: optional(whole),
  IPv6Gateway: optional(text),
  MacAddress: optional(text),
});
/** The networks as inspect shows them, with the default bridge's at the top level too. */
export type NetworkSettings = Shape<typeof NetworkSettings>;
