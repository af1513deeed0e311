/** Control groups as scopes of systemd's: it makes and removes them, all else is as without it. */
import type { OciResources } from '../oci.js';
import type { Cgroups, ContainerCgroup } from './cgroup.js';
import { scopeAt } from './scope-name.js';

/** All paths are those of scopes (`parseScope`). `inner` are the groups as the kernel has them. */
export function systemdCgroups(inner: Cgroups): Cgroups {
  const open = (path: string): ContainerCgroup => scopeGroup(inner.open(path));
  return {
    ...inner,
    open,
    create: (path, resources) => create(inner, path, resources),
    sweep: async (parent, known) => {
      const names = await inner.sweep(parent, known);
      const { endScope } = await scopes();
      for (const unit of names) await endScope(unit);
      return names;
    },
  };
}

/** Only who makes, changes or removes one waits for systemd's library. */
const scopes = () => import('./scope.js');

async function create(
  inner: Cgroups,
  path: string,
  resources: OciResources,
): Promise<ContainerCgroup> {
  const { startScope } = await scopes();
  const held = await startScope(scopeAt(path), resources);
  try {
    const group = scopeGroup(await inner.create(path, resources));
    return { ...group, settled: () => held.release() };
  } catch (error) {
    await held.release();
    await scopeGroup(inner.open(path)).remove();
    throw error;
  }
}

function scopeGroup(group: ContainerCgroup): ContainerCgroup {
  const { unit } = scopeAt(group.path);
  return {
    ...group,
    update: async (resources) => {
      const { updateScope } = await scopes();
      await updateScope(unit, resources);
      await group.update(resources);
    },
    remove: async () => {
      const { endScope } = await scopes();
      await endScope(unit);
      await group.remove();
    },
  };
}
