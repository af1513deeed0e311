/** A socket that a shim keeps open for as long as its process lives: a port of the host. */
export interface HeldSocket {
  readonly fd: number;
  /** Absent: the port is only reserved, and served by nftables. */
  readonly forward?: Forward;
}

/** The name of a held socket: where it is bound on the host. */
export interface Place {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly address: string;
  readonly port: number;
}

/** Where the shim sends on what comes to a socket: connections to one that listens, datagrams. */
export interface Forward {
  readonly protocol: 'tcp' | 'udp';
  /** Of the container, as the host reaches it. */
  readonly address: string;
  readonly port: number;
}
