/** Networks over HTTP: decode, one call of the service, encode. */
import { invalidParameter } from '../../../api-spec/errors.js';
import type { HandlersOf } from '../call.js';
import type { NetworksApi } from '../needs.js';

type Ids =
  | 'NetworkConnect'
  | 'NetworkCreate'
  | 'NetworkDelete'
  | 'NetworkDisconnect'
  | 'NetworkInspect'
  | 'NetworkList'
  | 'NetworkPrune';

/** Stricter than any other flag, as in Docker. */
function parseVerbose(text: string): boolean {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  if (['', '0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false;
  throw invalidParameter(
    `invalid value for verbose: ${text}: strconv.ParseBool: parsing "${text}": invalid syntax`);
}

/** Handlers of the operations on networks. */
export function networkRoutes(networks: NetworksApi): HandlersOf<Ids> {
  return {
    NetworkList: ({ filters }) => networks.list(filters),
    NetworkInspect: ({ params, query }) =>
      networks.inspect(params.id, { verbose: parseVerbose(query.verbose), scope: query.scope }),
    NetworkCreate: ({ body }) => networks.create(body),
    NetworkDelete: ({ params }) => networks.remove(params.id),
    NetworkConnect: ({ params, body }) => networks.connect(params.id, body),
    NetworkDisconnect: ({ params, body }) => networks.disconnect(params.id, body),
    NetworkPrune: ({ filters }) => networks.prune(filters),
  };
}
