/** What belongs to the namespaces of a daemon without privileges, below its exec root. Pure. */
import { join } from 'node:path';

/** Files and sockets. */
export interface HolderPlaces {
  readonly folder: string;
  /** The socket of the shim that stays outside. */
  readonly socket: string;
  readonly exit: string;
  /** A fifo: the namespaces last while somebody has it open for writing. */
  readonly alive: string;
  /** A link to the network namespace; when it goes, pasta goes. */
  readonly network: string;
  readonly resolvConf: string;
  /** The last entry into the namespaces, as bytes. */
  readonly entry: string;
  readonly lock: string;
}

/** One set for each exec root. */
export function holderPlaces(execRoot: string): HolderPlaces {
  const folder = join(execRoot, 'rootless');
  return {
    folder,
    socket: join(folder, 'h'),
    exit: join(folder, 'exit'),
    alive: join(folder, 'alive'),
    network: join(folder, 'net'),
    resolvConf: join(folder, 'resolv.conf'),
    entry: join(folder, 'entry'),
    lock: join(folder, 'lock'),
  };
}
