/** Which of the ports that a container has go on when it is to have others: pure. */
import type { PortMapping } from '../../netplugins/plugin.js';
import type { PortRequest } from './port-requests.js';
import type { Reservation } from './ports.js';

/** An address of the host, and the container's that it leads to. */
export type Place = Pick<PortMapping, 'hostIp' | 'containerIp'>;

/** A request, with the places that it comes to. */
export interface Wanted {
  readonly request: PortRequest;
  readonly places: readonly Place[];
}

/**
 * What serves each request already, those left out that need sockets of their own. First those
 * that lead where they led; then fixed ports whose socket is to lead elsewhere.
 */
export function matchPorts(
  before: readonly Reservation[],
  wanted: readonly Wanted[],
): ReadonlyMap<PortRequest, readonly Reservation[]> {
  const unused = new Set(before);
  const found = new Map<PortRequest, readonly Reservation[]>();
  const take = (each: Wanted, isSame: boolean): void => {
    const match = found.has(each.request) ? undefined : matchOne(unused, each, isSame);
    if (match === undefined) return;
    for (const { used } of match) unused.delete(used);
    found.set(each.request, match.map(({ reservation }) => reservation));
  };
  for (const each of wanted) take(each, true);
  for (const each of wanted) take(each, false);
  return found;
}

interface Match {
  readonly used: Reservation;
  /** The same one, or its socket with another target. */
  readonly reservation: Reservation;
}

function matchOne(
  unused: ReadonlySet<Reservation>,
  { request, places }: Wanted,
  isSame: boolean,
): readonly Match[] | undefined {
  const { protocol, containerPort, firstHostPort, lastHostPort } = request;
  const fits = ({ mapping }: Reservation): boolean =>
    mapping.protocol === protocol &&
    (isSame ? mapping.containerPort === containerPort : firstHostPort === lastHostPort) &&
    (firstHostPort === 0
      ? isSame
      : mapping.hostPort >= firstHostPort && mapping.hostPort <= lastHostPort);
  const candidates = [...unused].filter(fits);
  for (const hostPort of new Set(candidates.map(({ mapping }) => mapping.hostPort))) {
    const match = places.flatMap(({ hostIp, containerIp }) => {
      const used = candidates.find(({ mapping }) =>
        mapping.hostPort === hostPort && mapping.hostIp === hostIp);
      if (used === undefined) return [];
      const mapping = { ...used.mapping, containerIp, containerPort };
      return [{ used, reservation: isSame ? used : { ...used, mapping } }];
    });
    if (match.length === places.length) return match;
  }
  return undefined;
}
