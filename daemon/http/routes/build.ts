/** Builds over HTTP: decode, one call of the service, encode. */
import type { HandlersOf } from '../call.js';
import type { BuilderApi } from '../needs.js';
import { decodeRegistryConfig } from '../registry-auth.js';
import { sendProgress } from '../streams.js';

/** Handlers of the operations of the builder. */
export const buildRoutes = (
  builder: BuilderApi,
): HandlersOf<'BuildCancel' | 'BuildPrune' | 'ImageBuild'> => ({
  ImageBuild: async ({ query, headers, request: body, response, signal }) => {
    const registryConfig = decodeRegistryConfig(headers['x-registry-config']);
    await sendProgress(response, (sink) =>
      builder.build({ query, body, registryConfig, sink, signal }),
    );
  },
  BuildCancel: async ({ query }) => {
    await builder.cancel(query.id);
  },
  BuildPrune: ({ query, filters }) => {
    const keepBytes = query['reserved-space'] ?? query['keep-storage'] ?? query['max-used-space'];
    return builder.prune({ all: query.all, keepBytes, filters });
  },
});
