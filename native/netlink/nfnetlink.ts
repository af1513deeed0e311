/**
 * The few nfnetlink requests that libnftables has no command for. Pure. Numbers are those of
 * linux/netfilter/nf_tables.h and nfnetlink_conntrack.h.
 */
import {
  attribute, byteAttribute, decodeAttributes, nested, wordAttribute, type NetlinkMessage,
} from './message.js';

const request = 0x1;
const acknowledge = 0x4;
const conntrackSubsystem = 1;
const nftablesSubsystem = 10;
const familyInet4 = 2;
const udp = 17;
/** struct nfgenmsg: family, version, resource. */
const generalBytes = 4;

/** Asks for nftables' generation. */
export function getGeneration(): NetlinkMessage {
  const getGen = 16;
  return {
    type: (nftablesSubsystem << 8) | getGen,
    flags: request,
    payload: Buffer.alloc(generalBytes),
  };
}

/** Reads NFTA_GEN_ID; 0 when the answer has none. */
export function decodeGeneration(payload: Buffer): number {
  const id = decodeAttributes(payload.subarray(generalBytes)).get(1);
  return id === undefined || id.length < 4 ? 0 : id.readUInt32BE(0);
}

/** Deletes the IPv4 UDP flows whose first packet went to `port`; needs Linux 5.8. */
export function forgetUdp(port: number): NetlinkMessage {
  const ctDelete = 2;
  const tupleOrig = 1;
  const tupleProto = 2;
  const filter = 25;
  const protocolNumber = 1;
  const destinationPort = 3;
  const byProtocolAndDestinationPort = (1 << 3) | (1 << 5);
  const portBytes = Buffer.alloc(2);
  portBytes.writeUInt16BE(port, 0);
  return {
    type: (conntrackSubsystem << 8) | ctDelete,
    flags: request | acknowledge,
    payload: Buffer.concat([
      Buffer.from([familyInet4, 0, 0, 0]),
      nested(tupleOrig, nested(tupleProto,
        byteAttribute(protocolNumber, udp), attribute(destinationPort, portBytes))),
      nested(filter, wordAttribute(1, byProtocolAndDestinationPort), wordAttribute(2, 0)),
    ]),
  };
}
