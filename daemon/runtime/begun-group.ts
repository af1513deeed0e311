/** A control group that is being made before its limits are known. */
import type { ContainerCgroup, Cgroups } from './cgroup/index.js';
import type { OciResources } from './oci.js';

/** To be limited, or dropped: whichever is called first counts. */
export interface BegunGroup {
  /** Rejects as `Cgroups.create` does, or with what `resources` rejects with. */
  limit(resources: Promise<OciResources>): Promise<ContainerCgroup>;
  /** Takes it back, if nobody limited it. */
  drop(): Promise<void>;
}

/** Begins the group at `path`; nothing is thrown until it is limited. */
export function beginGroup(cgroups: Cgroups, path: string): BegunGroup {
  let decide: (resources: Promise<OciResources>) => void = () => undefined;
  let isDecided = false;
  const resources = new Promise<OciResources>((resolve) => {
    decide = (those) => {
      isDecided = true;
      resolve(those);
    };
  });
  const made = cgroups.create(path, resources);
  // Whoever decides hears of it.
  for (const promise of [resources, made]) promise.catch(() => undefined);
  return {
    limit(those) {
      decide(those);
      return made;
    },
    async drop() {
      if (isDecided) return;
      decide(Promise.reject(new Error('nobody wants this control group')));
      await Promise.allSettled([made]);
    },
  };
}
