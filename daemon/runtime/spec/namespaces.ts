/** Which namespaces a container has for itself, shares or joins. */
import { systemError } from '../../../api-spec/errors.js';
import type { HostConfig } from '../../../api-spec/index.js';
import type { Sandbox } from '../../containers/needs.js';
import type { NamespaceType, OciNamespace } from '../oci.js';

/** What the choice of namespaces depends on. */
export interface NamespaceRequest {
  readonly hostConfig: HostConfig;
  readonly sandbox: Sandbox;
  /** Live pids by container id, for `container:` modes. */
  readonly joinPids: Readonly<Record<string, number>>;
  readonly cgroupVersion: 1 | 2;
  /** Containers have user namespaces, unless they ask for the host's. */
  readonly isRemapped: boolean;
}

/** Those that are new or joined; what is missing is shared with the host. */
export function namespaces(request: NamespaceRequest): readonly OciNamespace[] {
  const { hostConfig, sandbox } = request;
  return [
    { type: 'mount' },
    ...user(request),
    ...byMode('pid', hostConfig.PidMode ?? '', request),
    ...byMode('ipc', hostConfig.IpcMode ?? '', request),
    ...byMode('uts', hostConfig.UTSMode ?? '', request),
    ...network(sandbox),
    ...(cgroupNamespaceMode(request) === 'private' ? [{ type: 'cgroup' } as const] : []),
  ];
}

/** What is joined belongs to somebody's user namespace: that is joined too, as Docker does. */
function user({ hostConfig, sandbox, joinPids, isRemapped }: NamespaceRequest): OciNamespace[] {
  const { UsernsMode, PidMode = '', IpcMode = '' } = hostConfig;
  if (!isRemapped || UsernsMode === 'host') return [];
  const joined =
    joinedPid(PidMode, joinPids) ?? joinedPid(IpcMode, joinPids) ??
    (sandbox.kind === 'joined' ? sandbox.joinPid : undefined);
  const type = 'user';
  return [joined === undefined ? { type } : { type, path: namespacePath(joined, type) }];
}

/** As Docker: private with cgroup v2, the host's with v1. */
function cgroupNamespaceMode({ hostConfig, cgroupVersion }: NamespaceRequest): string {
  const given = hostConfig.CgroupnsMode ?? '';
  return given !== '' ? given : cgroupVersion === 2 ? 'private' : 'host';
}

function byMode(
  type: 'pid' | 'ipc' | 'uts', mode: string, request: NamespaceRequest,
): OciNamespace[] {
  if (mode === 'host') return [];
  const joined = joinedPid(mode, request.joinPids);
  return [joined === undefined ? { type } : { type, path: namespacePath(joined, type) }];
}

/** The pid that `container:<id>` stands for; undefined for other modes. */
export function joinedPid(
  mode: string,
  joinPids: Readonly<Record<string, number>>,
): number | undefined {
  if (!mode.startsWith('container:')) return undefined;
  const name = mode.slice('container:'.length);
  const key = Object.keys(joinPids).find(
    (id) => id === name || (name !== '' && id.startsWith(name)),
  );
  const pid = key === undefined ? undefined : joinPids[key];
  if (pid === undefined) {
    throw systemError(`cannot join the namespace of ${name}: it is not running`);
  }
  return pid;
}

function network(sandbox: Sandbox): OciNamespace[] {
  switch (sandbox.kind) {
    case 'host':
      return [];
    case 'none':
    case 'isolated':
      return [{ type: 'network' }];
    case 'joined':
      if (sandbox.joinPid === undefined) throw systemError('the joined sandbox has no process');
      return [{ type: 'network', path: namespacePath(sandbox.joinPid, 'network') }];
  }
}

const files: Readonly<Record<NamespaceType, string>> = {
  pid: 'pid', network: 'net', mount: 'mnt', ipc: 'ipc', uts: 'uts', user: 'user',
  cgroup: 'cgroup', time: 'time',
};

function namespacePath(pid: number, type: NamespaceType): string {
  return `/proc/${pid}/ns/${files[type]}`;
}

/** Whether the container has a new namespace of this kind for itself. */
export function hasOwn(list: readonly OciNamespace[], type: NamespaceType): boolean {
  return list.some((each) => each.type === type && each.path === undefined);
}
