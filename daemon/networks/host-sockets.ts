/** Sockets of the host for published ports: by our own hand, or by that of one who is there. */
import { systemError } from '../../api-spec/errors.js';
import { openInetSocket, type SocketPlace } from '../../native/netlink/index.js';
import { bindByShim } from '../../native/shim/port-bind.js';
import type { PortMapping } from '../../netplugins/plugin.js';
import { hasProxy } from '../../netplugins/proxy.js';

/** How they are made, and what they do. */
export interface HostSockets {
  /** As `openInetSocket`. */
  readonly open: (place: SocketPlace) => { readonly fd: number };
  /** Whether a port's socket also serves it. Throws `ApiError` where nothing would. */
  readonly serves: (mapping: PortMapping) => boolean;
  /** What else there is to say when a port may not be had. */
  readonly hint: string;
}

/** In the network namespace that we are in; rules serve most of what comes. */
export const ownSockets: HostSockets = {
  open: openInetSocket,
  serves: (mapping) => mapping.protocol !== 'sctp' && hasProxy(mapping),
  hint: '',
};

/** In that of a shim. What comes there no rule of ours sees: the sockets serve all of it. */
export function socketsOfShim(socketPath: string): HostSockets {
  return {
    open: (place) => ({ fd: bindByShim(socketPath, place) }),
    serves: ({ protocol, hostPort }) => {
      if (protocol !== 'sctp') return true;
      throw systemError(`port ${hostPort}/sctp cannot be published by a rootless daemon`);
    },
    hint: ': an ordinary user may have no port below net.ipv4.ip_unprivileged_port_start',
  };
}
