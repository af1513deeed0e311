/** Kernel parameters: only those that belong to a namespace which the container has for itself. */
import { invalidParameter } from '../../../api-spec/errors.js';

/** Which namespaces are the container's own. */
export interface OwnNamespaces {
  readonly ipc: boolean;
  readonly network: boolean;
  readonly uts: boolean;
  /** The last of the ids of groups that its user namespace has in one row from 0 on. */
  readonly lastGid?: number;
}

const ipcNames: ReadonlySet<string> = new Set([
  'kernel.msgmax', 'kernel.msgmnb', 'kernel.msgmni', 'kernel.sem', 'kernel.shmall',
  'kernel.shmmax', 'kernel.shmmni', 'kernel.shm_rmid_forced',
]);

/** Ports below 1024 and ping need no capability in a network of one's own. */
const networkDefaults = ({ lastGid = 2 ** 31 - 1 }: OwnNamespaces): Record<string, string> => ({
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': `0 ${lastGid}`,
});

/** By dotted name, the defaults first. Throws `ApiError` 400 for what would reach the host. */
export function sysctls(
  given: Readonly<Record<string, string>>,
  own: OwnNamespaces,
): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(given)) refuse(name, value, own);
  return { ...(own.network ? networkDefaults(own) : {}), ...given };
}

/** Below /proc/sys; dots in the name of a link are written `/`, as sysctl(8) has it. */
export function sysctlPath(name: string): string {
  const firstDot = name.indexOf('.');
  const firstSlash = name.indexOf('/');
  if (firstSlash >= 0 && (firstDot < 0 || firstSlash < firstDot)) return name;
  return name.replace(/[./]/g, (separator) => (separator === '.' ? '/' : '.'));
}

function refuse(given: string, value: string, own: OwnNamespaces): void {
  const name = sysctlPath(given).replace(/\//g, '.');
  const plain = /^[a-zA-Z0-9_-]+([./@:][a-zA-Z0-9_.@:-]+)+$/.test(given) && !given.includes('..');
  if (!plain || /[\n\0]/.test(value)) {
    throw invalidParameter(`sysctl "${given}" is not a kernel parameter with a value of one line`);
  }
  if (ipcNames.has(name) || name.startsWith('fs.mqueue.')) return need(own.ipc, given, 'IPC');
  if (name.startsWith('net.')) return need(own.network, given, 'network');
  if (name === 'kernel.domainname') return need(own.uts, given, 'UTS');
  if (name === 'kernel.hostname') {
    throw invalidParameter(`sysctl "${given}" conflicts with the container's hostname`);
  }
  throw invalidParameter(`sysctl "${given}" is not in a separate kernel namespace`);
}

function need(isOwn: boolean, name: string, namespace: string): void {
  if (!isOwn) {
    throw invalidParameter(`sysctl '${name}' not allowed in host ${namespace} namespace`);
  }
}
