/** Which published ports the holder of their socket serves by hand. */
import { isIPv6 } from 'node:net';
import type { PortMapping } from './plugin.js';

/**
 * Whether the socket that reserves a port also serves it. TCP always: rules come first, and while
 * a stranger has flushed them, or where the kernel has none, connections still arrive. UDP only
 * where no rule can: `::1` never leaves `lo`, and no rule turns IPv6 into IPv4.
 */
export function hasProxy(port: PortMapping): boolean {
  return port.protocol === 'tcp' || (port.protocol === 'udp' && needsProxy(port));
}

/** Whether rules alone would not serve all of the port's traffic. */
export function needsProxy({ hostIp, containerIp }: PortMapping): boolean {
  return isIPv6(hostIp) && (!isIPv6(containerIp) || hostIp === '::' || hostIp === '::1');
}
