/** The `host` network: containers stay in the host's own network namespace. */
import { invalidParameter } from '../../api-spec/errors.js';
import type { NetworkPlugin } from '../plugin.js';

/** Makes the driver; it makes nothing in the kernel. */
export function createHostPlugin(): NetworkPlugin {
  return {
    name: 'host',
    scope: 'local',
    isolates: false,
    validate: (network) => {
      if (network.subnets.length > 0) {
        throw invalidParameter('network driver host takes no subnet');
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
