import type { ContainerEvent } from './needs.js';
import type { ContainerRecord } from './record.js';

/** What Docker tells of the volumes of a container that starts or has ended: binds are none. */
export function volumeEvents(
  { id, mounts }: ContainerRecord,
  action: 'mount' | 'unmount',
): readonly ContainerEvent[] {
  return mounts
    .filter(({ Type }) => Type === 'volume')
    .map(({ Name = '', Driver = '', Destination, Propagation, RW }) => {
      const how = {
        destination: Destination,
        propagation: Propagation,
        'read/write': String(RW),
      };
      const attributes = { container: id, driver: Driver, ...(action === 'mount' ? how : {}) };
      return { type: 'volume', action, id: Name, attributes };
    });
}
