/** `--gpus`: which CDI devices stand for what is asked. Pure. */
import { invalidParameter } from '../../../api-spec/errors.js';
import type { HostConfig } from '../../../api-spec/index.js';

type DeviceRequest = NonNullable<HostConfig['DeviceRequests']>[number];

interface Vendor {
  readonly driver: string;
  readonly kind: string;
  /** What its GPUs may be asked to be able to do. */
  readonly capabilities: ReadonlySet<string>;
}

/** In the order in which Docker looks for one that serves a request without a driver. */
const vendors: readonly Vendor[] = [
  {
    driver: 'nvidia', kind: 'nvidia.com/gpu',
    capabilities: new Set(['gpu', 'nvidia', 'compute', 'compat32', 'graphics', 'utility', 'video',
      'display']),
  },
  { driver: 'amd', kind: 'amd.com/gpu', capabilities: new Set(['gpu', 'amd']) },
];

/**
 * The kind of the GPUs that serve a request, among those that are described (`vendor/class`);
 * undefined when there are none.
 */
export function gpuKind(
  { Driver: driver = '', Capabilities: wishes = [] }: DeviceRequest,
  kinds: ReadonlySet<string>,
): string | undefined {
  const found = vendors.find((vendor) =>
    (driver === '' || driver === vendor.driver) &&
    kinds.has(vendor.kind) &&
    wishes.some((all) => all.every((each) => vendor.capabilities.has(each))));
  return found?.kind;
}

/** The devices of that kind that are asked for: all, the first few, or those that are named. */
export function gpuNames(
  kind: string,
  { Count: count = 0, DeviceIDs: ids }: DeviceRequest,
): readonly string[] {
  const named = ids ?? [];
  if (count !== 0 && named.length > 0) {
    throw invalidParameter('cannot set both Count and DeviceIDs on device request');
  }
  const chosen = count < 0 ? ['all']
    : count > 0 ? Array.from({ length: count }, (_, index) => String(index)) : named;
  return chosen.map((name) => `${kind}=${name}`);
}
