/** Builds over HTTP: decode, one call of the service, encode. */
import type { HandlersOf } from '../call.js';
import type { BuilderApi } from '../needs.js';
import { decodeBuildGrants, decodeRegistryConfig } from '../registry-auth.js';
import { sendProgress } from '../streams.js';

/** Handlers of the operations of the builder. */
export const buildRoutes = (
  builder: BuilderApi,
): HandlersOf<'BuildCancel' | 'BuildPrune' | 'ImageBuild'> => ({
  ImageBuild: async ({ query, headers, request: body, response, signal }) => {
    const registryConfig = decodeRegistryConfig(headers['x-registry-config']);
    const grants = decodeBuildGrants(headers['x-build-grants']);
    await sendProgress(response, (sink) =>
      builder.build({ query, body, registryConfig, grants, sink, signal }),
    );
  },
  BuildCancel: async ({ query, response }) => {
    await builder.cancel(query.id);
    // Docker names a type here, also of nothing.
    response.setHeader('Content-Type', 'application/json');
  },
  BuildPrune: ({ query, filters }) => {
    const keep = {
      reserved: query['reserved-space'] ?? query['keep-storage'] ?? 0,
      maxUsed: query['max-used-space'] ?? 0,
      minFree: query['min-free-space'] ?? 0,
    };
    return builder.prune({ all: query.all, keep, filters });
  },
});
