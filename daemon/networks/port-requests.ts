/** Which ports a container wants to have published: what the user asked, read and checked. Pure. */
import { isIP } from 'node:net';
import type { HostConfig, ContainerConfig } from '../../api-spec/index.js';
import { invalidParameter } from '../../api-spec/errors.js';
import { addressBytes, addressText } from '../../native/netlink/ip-address.js';
import type { PortMapping } from '../../netplugins/plugin.js';

type Protocol = PortMapping['protocol'];

/** One port that a container wants to have published. */
export interface PortRequest {
  readonly protocol: Protocol;
  readonly containerPort: number;
  /** Empty for the network's default. */
  readonly hostIp: string;
  /** Both 0 for any; a range means the first free one of it. */
  readonly firstHostPort: number;
  readonly lastHostPort: number;
}

const maxPort = 65_535;

/** `80/tcp` in parts; `ApiError` 400 in Docker's words for anything else. */
export function parsePort(text: string): { readonly port: number; readonly protocol: Protocol } {
  const [number = '', protocol = 'tcp'] = text.split('/');
  const port = /^\d{1,5}$/.test(number) ? Number(number) : NaN;
  const lower = protocol.toLowerCase();
  const isPort = port >= 0 && port <= maxPort;
  if (!isPort || (lower !== 'tcp' && lower !== 'udp' && lower !== 'sctp')) {
    throw invalidParameter(`invalid port specification: "${isPort ? text : number}"`);
  }
  return { port, protocol: lower };
}

/** Of port 0 Docker publishes nothing, and says nothing. */
function parsePublished(text: string): ReturnType<typeof parsePort> {
  const parsed = parsePort(text);
  if (parsed.port === 0) throw invalidParameter(`invalid port specification: "${text}"`);
  return parsed;
}

/** What `PortBindings` and `PublishAllPorts` ask for; `ApiError` 400 for nonsense. */
export function portRequests(
  config: ContainerConfig,
  hostConfig: HostConfig,
): readonly PortRequest[] {
  const requests: PortRequest[] = [];
  for (const [text, bindings] of Object.entries(hostConfig.PortBindings ?? {})) {
    const { port, protocol } = parsePublished(text);
    for (const { HostIp = '', HostPort = '' } of bindings ?? []) {
      if (HostIp !== '' && (isIP(HostIp) === 0 || HostIp.includes('%'))) {
        throw invalidParameter(`invalid IP address in port binding: ${HostIp}`);
      }
      const [first, last] = parseHostPort(HostPort);
      const hostIp = HostIp === '' ? '' : addressText(addressBytes(HostIp));
      requests.push({
        protocol, containerPort: port, hostIp, firstHostPort: first, lastHostPort: last,
      });
    }
  }
  if (hostConfig.PublishAllPorts !== true) return requests;
  for (const { port, protocol } of exposedPorts(config)) {
    if (requests.some((r) => r.containerPort === port && r.protocol === protocol)) continue;
    requests.push({
      protocol, containerPort: port, hostIp: '', firstHostPort: 0, lastHostPort: 0,
    });
  }
  return requests;
}

/** The ports that the image or the user exposes. */
export function exposedPorts(
  config: ContainerConfig,
): readonly { readonly port: number; readonly protocol: Protocol }[] {
  return Object.keys(config.ExposedPorts ?? {}).map(parsePort);
}

function parseHostPort(text: string): readonly [number, number] {
  if (text === '') return [0, 0];
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(match?.[1] ?? NaN);
  const last = match?.[2] === undefined ? first : Number(match[2]);
  if (!(first <= last && last <= maxPort)) {
    throw invalidParameter(`invalid port specification: "${text}"`);
  }
  return [first, last];
}
