/**
 * Ports of the host: each is held by a socket that the shim keeps, so that no other program can
 * take it. nftables serves it; what that cannot do the shim does by the same socket (`proxy.ts`).
 */
import { closeSync } from 'node:fs';
import { isIP, isIPv4 } from 'node:net';
import { invalidParameter, systemError } from '../../api-spec/errors.js';
import { ErrnoError } from '../../native/errno-error.js';
import type { Forward, HeldSocket } from '../../native/shim/held-socket.js';
import type { PortMapping } from '../../netplugins/plugin.js';
import { ownSockets, type HostSockets } from './host-sockets.js';
import { matchPorts, type Place } from './port-match.js';
import type { PortRequest } from './port-requests.js';

type Protocol = PortMapping['protocol'];

/** Where ports come from that nobody chose: the kernel's own range, as in Docker. */
const ephemeral = { first: 32_768, last: 60_999 };
/** How many ports are tried for one request before it is refused. */
const maxTries = 2000;
/** What a shim keeps (`MAX_HELD`). */
const maxSockets = 16_384;

/** A port that is held. */
export interface Reservation {
  readonly mapping: PortMapping;
  /** -1 when someone of ours (the shim) holds it already. */
  readonly fd: number;
}

/** Where the ports of a container lead, and where those go that name no address. */
export interface PortTarget {
  readonly containerIp: string;
  /** Absent when it has IPv4 only; IPv6 of the host is then proxied to that. */
  readonly containerIp6?: string;
  readonly defaultHostIp: string;
}

/** The ports that this engine has given away. */
export interface PortBook {
  /**
   * Reserves all of `requests` or none. `ApiError` 500 in Docker's words, without the part that
   * names the endpoint, when a port is taken.
   */
  reserve(requests: readonly PortRequest[], target: PortTarget): readonly Reservation[];
  /**
   * Reserves what `requests` ask for beyond `before`, which stays as it is until `settle`. A port
   * that is asked for again stays the same, one of the host's choosing too; one that is to lead
   * elsewhere in the container is held by the same socket. All or none, errors as in `reserve`.
   */
  replan(
    before: readonly Reservation[],
    requests: readonly PortRequest[],
    target: PortTarget,
  ): readonly Reservation[];
  /** `after`, from `replan`, holds instead of `before`: what is missing there is freed. */
  settle(before: readonly Reservation[], after: readonly Reservation[]): void;
  /** After a restart: holds what a live container has; a socket of its shim may hold it already. */
  adopt(mappings: readonly PortMapping[]): readonly Reservation[];
  /** Closes the sockets; idempotent. */
  free(reservations: readonly Reservation[]): void;
  /** What the shim is to keep of a port; undefined for one that it keeps already. */
  heldSocket(reservation: Reservation): HeldSocket | undefined;
  /** Where a port's socket leads; undefined for one that rules alone serve. */
  forwardOf(mapping: PortMapping): Forward | undefined;
}

/** Makes an empty book. */
export function createPortBook(sockets: HostSockets = ownSockets): PortBook {
  const state: State = { sockets, held: new Map(), lastGiven: new Map() };
  const free = (reservations: readonly Reservation[]): void => {
    for (const reservation of reservations) release(state, reservation);
  };
  return {
    reserve: (requests, target) => {
      const done: Reservation[] = [];
      const hasSix = asksForAll(requests) && hostHasSix(sockets);
      try {
        for (const request of inOrder(requests)) {
          done.push(...reserveOne(state, request, placesOf(request, target, hasSix)));
          if (done.length > maxSockets) throw invalidParameter('too many published ports');
        }
      } catch (error) {
        free(done);
        throw error;
      }
      return done;
    },
    replan: (before, requests, target) => replan(state, { before, requests, target }),
    settle: (before, after) => {
      free(missingFrom(after, before));
      for (const reservation of after) state.held.set(keyOf(reservation.mapping), reservation);
    },
    adopt: (mappings) => mappings.map((mapping) => adoptOne(state, mapping)),
    free,
    heldSocket: ({ fd, mapping }) => {
      if (fd < 0) return undefined;
      const forward = forwardOf(sockets, mapping);
      return { fd, ...(forward === undefined ? {} : { forward }) };
    },
    forwardOf: (mapping) => forwardOf(sockets, mapping),
  };
}

function forwardOf(sockets: HostSockets, mapping: PortMapping): Forward | undefined {
  const { protocol, containerIp: address, containerPort: port } = mapping;
  if (protocol === 'sctp' || !sockets.serves(mapping)) return undefined;
  return { protocol, address, port };
}

/** Those of `some` whose place on the host is none of `all`. */
export function missingFrom(
  all: readonly Reservation[],
  some: readonly Reservation[],
): readonly Reservation[] {
  const keys = new Set(all.map(({ mapping }) => keyOf(mapping)));
  return some.filter(({ mapping }) => !keys.has(keyOf(mapping)));
}

/** Those of `after` that lead elsewhere than the same port of the host did. */
export function aimedAnew(
  before: readonly Reservation[],
  after: readonly Reservation[],
): readonly Reservation[] {
  const old = new Map(before.map(({ mapping }) => [keyOf(mapping), mapping]));
  return after.filter(({ mapping }) => {
    const was = old.get(keyOf(mapping));
    return was !== undefined && was.containerPort !== mapping.containerPort;
  });
}

/** Whether any names no address: then it is those of both families. */
const asksForAll = (requests: readonly PortRequest[]): boolean =>
  requests.some(({ hostIp }) => hostIp === '');

/** As Docker finds out whether it may listen there: `disable_ipv6` takes the address away. */
function hostHasSix(sockets: HostSockets): boolean {
  try {
    closeSync(sockets.open({ protocol: 'tcp', address: '::1', port: 0, listen: false }).fd);
    return true;
  } catch (error) {
    if (error instanceof ErrnoError) return false;
    throw error;
  }
}

/** The addresses of the host for one request, and where in the container each leads. */
function placesOf(
  { protocol, hostIp }: PortRequest,
  { containerIp, containerIp6, defaultHostIp }: PortTarget,
  hostHasSix: boolean,
): readonly Place[] {
  const inner = (outer: string): string =>
    isIPv4(outer) ? containerIp : (containerIp6 ?? containerIp);
  if (hostIp !== '') return [{ hostIp, containerIp: inner(hostIp) }];
  // Nobody can turn SCTP of one family into the other.
  const both = defaultHostIp === '0.0.0.0' && hostHasSix &&
    (protocol !== 'sctp' || containerIp6 !== undefined);
  return [defaultHostIp, ...(both ? ['::'] : [])].map((outer) => ({
    hostIp: outer, containerIp: inner(outer),
  }));
}

interface State {
  readonly sockets: HostSockets;
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

function isHeld({ held }: State, { protocol, hostIp, hostPort }: Key): boolean {
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

/** The same port at all places. */
function reserveOne(
  state: State,
  request: PortRequest,
  places: readonly Place[],
): readonly Reservation[] {
  const { protocol, containerPort, firstHostPort, lastHostPort } = request;
  for (const hostPort of candidates(request, state.lastGiven.get(protocol))) {
    const mappings = places.map((place) => ({ protocol, ...place, hostPort, containerPort }));
    const isLast = firstHostPort !== 0 && hostPort === lastHostPort;
    const taken = mappings.find((mapping) => isHeld(state, mapping));
    if (taken !== undefined) {
      if (isLast) throw allocated(taken);
      continue;
    }
    const outcome = bindAll(state, mappings);
    if ('reservations' in outcome) {
      if (firstHostPort === 0) state.lastGiven.set(protocol, hostPort);
      return outcome.reservations;
    }
    if (outcome.error.code !== 'EADDRINUSE' || isLast) {
      throw refusal(outcome.refused, outcome.error, state.sockets.hint);
    }
  }
  throw systemError('all ports are allocated');
}

type Outcome =
  | { readonly reservations: readonly Reservation[] }
  | { readonly refused: PortMapping; readonly error: ErrnoError };

interface Replan {
  readonly before: readonly Reservation[];
  readonly requests: readonly PortRequest[];
  readonly target: PortTarget;
}

function replan(state: State, { before, requests, target }: Replan): readonly Reservation[] {
  const hasSix = asksForAll(requests) && hostHasSix(state.sockets);
  const wanted = inOrder(requests).map((request) => ({
    request, places: placesOf(request, target, hasSix),
  }));
  const known = matchPorts(before, wanted);
  const fresh: Reservation[] = [];
  try {
    const after = wanted.flatMap(({ request, places }) => {
      const found = known.get(request);
      if (found !== undefined) return found;
      const made = reserveOne(state, request, places);
      fresh.push(...made);
      return made;
    });
    if (after.length > maxSockets) throw invalidParameter('too many published ports');
    return after;
  } catch (error) {
    for (const reservation of fresh) release(state, reservation);
    throw error;
  }
}

/** All of them or none. */
function bindAll(state: State, mappings: readonly PortMapping[]): Outcome {
  const done: Reservation[] = [];
  for (const mapping of mappings) {
    const { protocol, hostIp: address, hostPort: port } = mapping;
    const listen = state.sockets.serves(mapping) && protocol === 'tcp';
    try {
      done.push(hold(state, mapping, state.sockets.open({ protocol, address, port, listen }).fd));
    } catch (error) {
      for (const reservation of done) release(state, reservation);
      if (!(error instanceof ErrnoError)) throw error;
      return { refused: mapping, error };
    }
  }
  return { reservations: done };
}

function adoptOne(state: State, mapping: PortMapping): Reservation {
  const { protocol, hostIp, hostPort } = mapping;
  try {
    const place = { protocol, address: hostIp, port: hostPort, listen: false };
    return hold(state, mapping, state.sockets.open(place).fd);
  } catch (error) {
    if (!(error instanceof ErrnoError)) throw error;
    return hold(state, mapping, -1);
  }
}

type Key = Pick<PortMapping, 'protocol' | 'hostIp' | 'hostPort'>;

const keyOf = ({ protocol, hostIp, hostPort }: Key): string =>
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

function allocated({ hostIp, hostPort }: Key): Error {
  return systemError(`Bind for ${hostIp}:${hostPort} failed: port is already allocated`);
}

function refusal(mapping: PortMapping, error: ErrnoError, hint: string): Error {
  const { hostIp, hostPort, containerIp, containerPort, protocol } = mapping;
  const words: Readonly<Record<string, string>> = {
    EADDRINUSE: 'address already in use',
    EADDRNOTAVAIL: 'cannot assign requested address',
    EACCES: 'permission denied',
    EPROTONOSUPPORT: 'protocol not supported',
  };
  return systemError(
    `failed to bind host port for ${hostIp}:${hostPort}:${containerIp}:${containerPort}/` +
      `${protocol}: ${words[error.code] ?? error.code}${error.code === 'EACCES' ? hint : ''}`,
    error,
  );
}
