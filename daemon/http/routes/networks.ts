/** Networks over HTTP: decode, one call of the service, encode. */
import type { HandlersOf } from '../call.js';
import type { NetworksApi } from '../needs.js';
import { unlessMissing } from './missing.js';

type Ids =
  | 'NetworkConnect'
  | 'NetworkCreate'
  | 'NetworkDelete'
  | 'NetworkDisconnect'
  | 'NetworkInspect'
  | 'NetworkList'
  | 'NetworkPrune';

/** Handlers of the operations on networks. */
export function networkRoutes(networks: NetworksApi): HandlersOf<Ids> {
  return {
    NetworkList: ({ filters }) => networks.list(filters),
    NetworkInspect: ({ params, query }) =>
      networks.inspect(params.id, { verbose: query.verbose, scope: query.scope }),
    NetworkCreate: ({ body }) => networks.create(body),
    NetworkDelete: ({ params }) => networks.remove(params.id),
    NetworkConnect: ({ params, body }) =>
      unlessMissing(networks, 'connect', 'NetworkConnect')(params.id, body),
    NetworkDisconnect: ({ params, body }) =>
      unlessMissing(networks, 'disconnect', 'NetworkDisconnect')(params.id, body),
    NetworkPrune: ({ filters }) => networks.prune(filters),
  };
}
