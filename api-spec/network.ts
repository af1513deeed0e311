/** Networks. */
import { Type } from 'typebox';
import { EndpointSettings } from './endpoints.js';
import { flag, list, map, nullable, optional, text, whole, type Shape } from './shape.js';

/** One range of addresses. */
export const IPAMConfig = Type.Object({
  Subnet: optional(text),
  IPRange: optional(text),
  Gateway: optional(text),
  AuxiliaryAddresses: optional(map(text)),
});
/** One range of addresses. */
export type IPAMConfig = Shape<typeof IPAMConfig>;

/** Who gives addresses, and from where. */
export const IPAM = Type.Object({
  Driver: optional(text),
  Config: optional(nullable(list(IPAMConfig))),
  Options: optional(nullable(map(text))),
});
/** Who gives addresses, and from where. */
export type IPAM = Shape<typeof IPAM>;

/** The network whose settings another one takes over. */
export const ConfigReference = Type.Object({ Network: optional(text) });
/** The network whose settings another one takes over. */
export type ConfigReference = Shape<typeof ConfigReference>;

/** One network as a list shows it; `Created` in RFC 3339. */
export const Network = Type.Object({
  Name: text,
  Id: text,
  Created: text,
  Scope: text,
  Driver: text,
  EnableIPv4: optional(flag),
  EnableIPv6: flag,
  IPAM: IPAM,
  Internal: flag,
  Attachable: flag,
  Ingress: flag,
  ConfigFrom: ConfigReference,
  ConfigOnly: flag,
  Options: nullable(map(text)),
  Labels: nullable(map(text)),
});
/** One network as a list shows it; `Created` in RFC 3339. */
export type Network = Shape<typeof Network>;

/** One endpoint in a network's inspect; addresses with their prefix length. */
export const EndpointResource = Type.Object({
  Name: text,
  EndpointID: text,
  MacAddress: text,
  IPv4Address: text,
  IPv6Address: text,
});
/** One endpoint in a network's inspect; addresses with their prefix length. */
export type EndpointResource = Shape<typeof EndpointResource>;

/** How many addresses of a subnet are taken. */
export const SubnetStatus = Type.Object({ IPsInUse: whole, DynamicIPsAvailable: whole });
/** How many addresses of a subnet are taken. */
export type SubnetStatus = Shape<typeof SubnetStatus>;

/** Answer to NetworkInspect; `Containers` by container id. NetworkList sends it too, with none. */
export const NetworkInspect = Type.Object({
  ...Network.properties,
  Containers: map(EndpointResource),
  Status: optional(
    Type.Object({ IPAM: Type.Object({ Subnets: map(SubnetStatus) }) }),
  ),
});
/** Answer to NetworkInspect; `Containers` by container id. NetworkList sends it too, with none. */
export type NetworkInspect = Shape<typeof NetworkInspect>;

/** Body of NetworkCreate. */
export const NetworkCreateRequest = Type.Object({
  Name: optional(text),
  CheckDuplicate: optional(flag),
  Driver: optional(text),
  Scope: optional(text),
  Internal: optional(flag),
  Attachable: optional(flag),
  Ingress: optional(flag),
  ConfigOnly: optional(flag),
  ConfigFrom: optional(ConfigReference),
  IPAM: optional(IPAM),
  EnableIPv4: optional(flag),
  EnableIPv6: optional(flag),
  Options: optional(map(text)),
  Labels: optional(map(text)),
});
/** Body of NetworkCreate. */
export type NetworkCreateRequest = Shape<typeof NetworkCreateRequest>;

/** Answer to NetworkCreate; `Warning` is empty for none. */
export const NetworkCreateResponse = Type.Object({ Id: text, Warning: text });
/** Answer to NetworkCreate; `Warning` is empty for none. */
export type NetworkCreateResponse = Shape<typeof NetworkCreateResponse>;

/** Body of NetworkConnect. */
export const NetworkConnectRequest = Type.Object({
  Container: optional(text),
  EndpointConfig: optional(EndpointSettings),
});
/** Body of NetworkConnect. */
export type NetworkConnectRequest = Shape<typeof NetworkConnectRequest>;

/** Body of NetworkDisconnect. */
export const NetworkDisconnectRequest = Type.Object({
  Container: optional(text),
  Force: optional(flag),
});
/** Body of NetworkDisconnect. */
export type NetworkDisconnectRequest = Shape<typeof NetworkDisconnectRequest>;
