/** The `none` network: a namespace with nothing but loopback, which the shim brings up. */
import { invalidParameter } from '../../api-spec/errors.js';
import type { NetworkPlugin } from '../plugin.js';

/** Makes the driver; it makes nothing in the kernel. */
export function createNonePlugin(): NetworkPlugin {
  return {
    name: 'null',
    scope: 'local',
    isolates: false,
    validate: (network) => {
      if (network.subnets.length > 0) {
        throw invalidParameter('network driver null takes no subnet');
      }
    },
    createNetwork: () => Promise.resolve(),
    removeNetwork: () => Promise.resolve(),
    join: () => Promise.resolve(),
    leave: () => Promise.resolve({ released: Promise.resolve() }),
    publish: () => Promise.resolve(),
    unpublish: () => Promise.resolve(),
    reconcile: () => Promise.resolve([]),
    close: () => Promise.resolve(),
  };
}
