/** Control groups as scopes of systemd's: it makes and removes them, all else is as without it. */
import type { OciResources } from '../oci.js';
import type { CgroupEntry, Cgroups, ContainerCgroup } from './cgroup.js';
import { removeGroup } from './files.js';
import { scopeAt } from './scope-name.js';

/**
 * All paths are those of scopes (`parseScope`). `inner` are the groups as the kernel has them;
 * `unified` is the hierarchy of version 2 that stands beside those of version 1.
 */
export function systemdCgroups(inner: Cgroups, unified: string | undefined): Cgroups {
  const open = (path: string): ContainerCgroup => scopeGroup(inner.open(path), unified);
  return {
    ...inner,
    open,
    create: async (path, resources) =>
      create(inner, path, { resources: await resources, unified }),
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
  { resources, unified }: {
    readonly resources: OciResources;
    readonly unified: string | undefined;
  },
): Promise<ContainerCgroup> {
  const { startScope } = await scopes();
  const held = await startScope(scopeAt(path), resources);
  try {
    const group = scopeGroup(await inner.create(path, resources), unified);
    return { ...group, settled: () => held.release() };
  } catch (error) {
    await held.release();
    await scopeGroup(inner.open(path), unified).remove();
    throw error;
  }
}

function scopeGroup(group: ContainerCgroup, unified: string | undefined): ContainerCgroup {
  const { unit } = scopeAt(group.path);
  const tracked = unified === undefined ? undefined : `${unified}${group.path}`;
  return {
    ...group,
    entry: tracked === undefined ? group.entry : withEntry(group.entry, tracked),
    update: async (resources) => {
      const { updateScope } = await scopes();
      await updateScope(unit, resources);
      await group.update(resources);
    },
    remove: async () => {
      const { endScope } = await scopes();
      await endScope(unit);
      await group.remove();
      if (tracked !== undefined) await removeGroup(tracked);
    },
  };
}

/** systemd takes a scope for ended when nobody is in that group. */
function withEntry(entry: CgroupEntry, tracked: string): CgroupEntry {
  if (entry.kind !== 'tasks') return entry;
  return { ...entry, files: [...entry.files, `${tracked}/cgroup.procs`] };
}
