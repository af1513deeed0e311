/**
 * Ports of the host: each is reserved by a bound socket without SO_REUSEADDR that never listens, so
 * that no other program can take it; nftables serves it. What the user asked is read here too.
 */
import { closeSync } from 'node:fs';
import { isIP } from 'node:net';
import type { HostConfig, ContainerConfig } from '../../api-spec/index.js';
import { invalidParameter, systemError } from '../../api-spec/errors.js';
import { ErrnoError } from '../../native/errno-error.js';
import { openInetSocket } from '../../native/netlink/index.js';
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

/** Where ports come from that nobody chose: the kernel's own range, as in Docker. */
const ephemeral = { first: 32_768, last: 60_999 };
/** How many ports are tried for one request before it is refused. */
const maxTries = 2000;
const maxPort = 65_535;

/** `80/tcp` in parts; `ApiError` 400 in Docker's words for anything else. */
export function parsePort(text: string): { readonly port: number; readonly protocol: Protocol } {
  const [number = '', protocol = 'tcp'] = text.split('/');
  const port = /^\d{1,5}$/.test(number) ? Number(number) : NaN;
  const lower = protocol.toLowerCase();
  const isPort = port >= 0 && port <= maxPort;
  if (!isPort || (lower !== 'tcp' && lower !== 'udp' && lower !== 'sctp')) {
    throw invalidParameter(`invalid port specification: "${text}"`);
  }
  return { port, protocol: lower };
}

/** What `PortBindings` and `PublishAllPorts` ask for; `ApiError` 400 for nonsense. */
export function portRequests(
  config: ContainerConfig,
  hostConfig: HostConfig,
): readonly PortRequest[] {
  const requests: PortRequest[] = [];
  for (const [text, bindings] of Object.entries(hostConfig.PortBindings ?? {})) {
    const { port, protocol } = parsePort(text);
    for (const { HostIp = '', HostPort = '' } of bindings ?? []) {
      if (HostIp !== '' && isIP(HostIp) === 0) {
        throw invalidParameter(`invalid IP address in port binding: ${HostIp}`);
      }
      const [first, last] = parseHostPort(HostPort);
      requests.push({
        protocol, containerPort: port, hostIp: HostIp, firstHostPort: first, lastHostPort: last,
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

/** A port that is held. */
export interface Reservation {
  readonly mapping: PortMapping;
  /** -1 when someone of ours (the shim) holds it already. */
  readonly fd: number;
}

/** The ports that this engine has given away. */
export interface PortBook {
  /**
   * Reserves all of `requests` or none. `ApiError` 500 in Docker's words, without the part that
   * names the endpoint, when a port is taken.
   */
  reserve(
    requests: readonly PortRequest[],
    target: { readonly containerIp: string; readonly defaultHostIp: string },
  ): readonly Reservation[];
  /** After a restart: holds what a live container has; a socket of its shim may hold it already. */
  adopt(mappings: readonly PortMapping[]): readonly Reservation[];
  /** Closes the sockets; idempotent. */
  free(reservations: readonly Reservation[]): void;
}

/** Makes an empty book. */
export function createPortBook(): PortBook {
  const state: State = { held: new Map(), lastGiven: new Map() };
  const free = (reservations: readonly Reservation[]): void => {
    for (const reservation of reservations) release(state, reservation);
  };
  return {
    reserve: (requests, { containerIp, defaultHostIp }) => {
      const done: Reservation[] = [];
      try {
        for (const request of inOrder(requests)) {
          const hostIp = request.hostIp === '' ? defaultHostIp : request.hostIp;
          done.push(reserveOne(state, request, { containerIp, hostIp }));
        }
      } catch (error) {
        free(done);
        throw error;
      }
      return done;
    },
    adopt: (mappings) => mappings.map((mapping) => adoptOne(state, mapping)),
    free,
  };
}

interface State {
  readonly held: Map<string, Reservation>;
  readonly lastGiven: Map<Protocol, number>;
}

function hold({ held }: State, mapping: PortMapping, fd: number): Reservation {
  const reservation = { mapping, fd };
  held.set(keyOf(mapping), reservation);
  return reservation;
}

function release({ held }: State, reservation: Reservation): void {
  const key = keyOf(reservation.mapping);
  if (held.get(key) !== reservation) return;
  held.delete(key);
  if (reservation.fd >= 0) closeSync(reservation.fd);
}

function isHeld({ held }: State, { protocol, hostIp, hostPort }: Place): boolean {
  const family = isIP(hostIp);
  const wildcard = family === 4 ? '0.0.0.0' : '::';
  if (hostIp !== wildcard) {
    return [hostIp, wildcard].some((ip) => held.has(keyOf({ protocol, hostIp: ip, hostPort })));
  }
  return [...held.values()].some(({ mapping }) =>
    mapping.protocol === protocol &&
    mapping.hostPort === hostPort &&
    isIP(mapping.hostIp) === family);
}

function reserveOne(
  state: State,
  request: PortRequest,
  { containerIp, hostIp }: { readonly containerIp: string; readonly hostIp: string },
): Reservation {
  const { protocol, containerPort, firstHostPort, lastHostPort } = request;
  for (const hostPort of candidates(request, state.lastGiven.get(protocol))) {
    const mapping = { protocol, hostIp, hostPort, containerIp, containerPort };
    const isLast = firstHostPort !== 0 && hostPort === lastHostPort;
    if (isHeld(state, mapping)) {
      if (isLast) throw allocated(mapping);
      continue;
    }
    try {
      const { fd } = openInetSocket({ protocol, address: hostIp, port: hostPort, listen: false });
      if (firstHostPort === 0) state.lastGiven.set(protocol, hostPort);
      return hold(state, mapping, fd);
    } catch (error) {
      if (!isTaken(error) || isLast) throw refusal(mapping, error);
    }
  }
  throw systemError('all ports are allocated');
}

function adoptOne(state: State, mapping: PortMapping): Reservation {
  const { protocol, hostIp, hostPort } = mapping;
  try {
    const place = { protocol, address: hostIp, port: hostPort, listen: false };
    return hold(state, mapping, openInetSocket(place).fd);
  } catch (error) {
    if (!(error instanceof ErrnoError)) throw error;
    return hold(state, mapping, -1);
  }
}

type Place = Pick<PortMapping, 'protocol' | 'hostIp' | 'hostPort'>;

const keyOf = ({ protocol, hostIp, hostPort }: Place): string =>
  `${protocol} ${hostIp} ${hostPort}`;

/** Fixed ports first, so that a random one does not take what another request names. */
function inOrder(requests: readonly PortRequest[]): readonly PortRequest[] {
  const rank = ({ firstHostPort }: PortRequest): number => Number(firstHostPort === 0);
  return [...requests].sort((a, b) => rank(a) - rank(b));
}

function* candidates(request: PortRequest, last: number | undefined): Generator<number> {
  if (request.firstHostPort !== 0) {
    for (let port = request.firstHostPort; port <= request.lastHostPort; port++) yield port;
    return;
  }
  const count = ephemeral.last - ephemeral.first + 1;
  const start = last === undefined ? 0 : last + 1 - ephemeral.first;
  for (let i = 0; i < maxTries; i++) yield ephemeral.first + ((start + i) % count);
}

function isTaken(error: unknown): boolean {
  return error instanceof ErrnoError && error.code === 'EADDRINUSE';
}

function allocated({ hostIp, hostPort }: Place): Error {
  return systemError(`Bind for ${hostIp}:${hostPort} failed: port is already allocated`);
}

function refusal(mapping: PortMapping, error: unknown): Error {
  if (!(error instanceof ErrnoError)) throw error;
  const { hostIp, hostPort, containerIp, containerPort, protocol } = mapping;
  const words: Readonly<Record<string, string>> = {
    EADDRINUSE: 'address already in use',
    EADDRNOTAVAIL: 'cannot assign requested address',
    EACCES: 'permission denied',
  };
  return systemError(
    `failed to bind host port for ${hostIp}:${hostPort}:${containerIp}:${containerPort}/` +
      `${protocol}: ${words[error.code] ?? error.code}`,
    error,
  );
}
