import type { Netns } from '../native/netlink/index.js';

/**
 * The one interface of a network driver: it makes the kernel objects of a network (a bridge) and of
 * an endpoint (a veth pair with its addresses), and serves published ports. It is told addresses;
 * it never chooses them, and it keeps no state: everything it makes carries the owner's name
 * (ifalias `tsdocker:<root>:<id>`, nft element comments), so that `reconcile` finds it again.
 *
 * `create`, `join` and `publish` are idempotent; `remove`, `leave` and `unpublish` too, and succeed
 * when the thing is gone. Errors are `ErrnoError` or `ApiError` with Docker's words.
 */
export interface NetworkPlugin {
  /** As in `--driver`: `bridge`, `host`, `none`. */
  readonly name: string;
  readonly scope: 'local' | 'global';
  /** Whether containers of it get a network namespace of their own, and addresses. */
  readonly isolates: boolean;

  /** Refuses options it does not know or cannot honour (`ApiError` 400). Pure. */
  validate(network: NetworkSpec): void;
  /** Makes what all endpoints share; returns the name of the link if there is one. */
  createNetwork(network: NetworkSpec): Promise<void>;
  removeNetwork(network: NetworkSpec): Promise<void>;

  /** Puts one link with its addresses and routes into the netns of `target`. */
  join(network: NetworkSpec, endpoint: EndpointSpec, target: Netns): Promise<void>;
  /**
   * Frees what `join` made; `released` resolves when the kernel has let the addresses go. A netns
   * that is `dying` takes its links along by itself, which costs nobody anything; in one that is
   * `live` the link is removed at once.
   */
  leave(
    network: NetworkSpec,
    endpoint: EndpointSpec,
    netns: 'dying' | 'live',
  ): Promise<{ released: Promise<void> }>;

  /**
   * Serves these ports of the endpoint and no others, in one step; the sockets that reserve them
   * are held by the shim. Senders of datagrams to ports that are `gone` are forgotten.
   */
  publish(
    network: NetworkSpec,
    endpoint: EndpointSpec,
    ports: readonly PortMapping[],
    gone?: readonly PortMapping[],
  ): Promise<void>;
  unpublish(endpointId: string): Promise<void>;

  /**
   * Makes the kernel agree with `live`: adopts what is there, remakes what is missing, removes the
   * rest; says what it did.
   */
  reconcile(live: {
    readonly networks: readonly NetworkSpec[];
    readonly endpoints: readonly {
      readonly network: NetworkSpec;
      readonly endpoint: EndpointSpec;
      readonly ports: readonly PortMapping[];
    }[];
  }): Promise<readonly string[]>;

  /** Closes sockets and workers; leaves the kernel's objects as they are. */
  close(): Promise<void>;
}

/** A network as its driver sees it. */
export interface NetworkSpec {
  /** 64 hex. */
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  readonly internal: boolean;
  readonly subnets: readonly SubnetSpec[];
  /** Driver options as the user gave them (`com.docker.network.bridge.name`, …). */
  readonly options: Readonly<Record<string, string>>;
  /** The bridge's link name, chosen once: `docker0`, `br-<12 hex>`. */
  readonly linkName: string;
  readonly mtu: number;
}

/** One range of addresses of a network. */
export interface SubnetSpec {
  readonly family: 4 | 6;
  /** `172.17.0.0/16`. */
  readonly cidr: string;
  readonly gateway: string;
}

/** One container's place on one network. */
export interface EndpointSpec {
  /** 64 hex. */
  readonly id: string;
  readonly containerId: string;
  /** Inside the container: `eth0`. */
  readonly ifname: string;
  readonly mac: string;
  /** With prefix length, `172.17.0.2/16`. */
  readonly addresses: readonly string[];
  /** Others that it has beside those, of its link alone: `169.254.3.3/16`. */
  readonly linkLocal?: readonly string[];
  /** Gateways to use for the default route; empty when another endpoint has it. */
  readonly gateways: readonly string[];
  readonly sysctls: Readonly<Record<string, string>>;
}

/** A port of the host that leads to one of a container. */
export interface PortMapping {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** `0.0.0.0`, `127.0.0.1`, `::` … */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly containerIp: string;
  readonly containerPort: number;
}
