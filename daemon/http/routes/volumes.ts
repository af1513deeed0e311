/** Volumes over HTTP: decode, one call of the service, encode. */
import { notManager } from './absent.js';
import { unavailable } from '../../../api-spec/errors.js';
import type { HandlersOf } from '../call.js';
import type { VolumesApi } from '../needs.js';

type Ids =
  | 'VolumeCreate'
  | 'VolumeDelete'
  | 'VolumeInspect'
  | 'VolumeList'
  | 'VolumePrune'
  | 'VolumeUpdate';

/** Handlers of the operations on volumes. */
export function volumeRoutes(volumes: VolumesApi): HandlersOf<Ids> {
  return {
    VolumeList: ({ filters }) => volumes.list(filters),
    VolumeCreate: ({ body }) =>
      body.ClusterVolumeSpec === undefined ? volumes.create(body) : notManager(),
    VolumeInspect: ({ params }) => volumes.inspect(params.name),
    VolumeUpdate: () => {
      throw unavailable('volume update only valid for cluster volumes, but swarm is unavailable');
    },
    VolumeDelete: ({ params, query }) => volumes.remove(params.name, { force: query.force }),
    VolumePrune: ({ filters, apiMinor }) =>
      // Before 1.42 named volumes went too.
      volumes.prune(apiMinor < 42 ? { ...filters, all: ['true'] } : filters),
  };
}
