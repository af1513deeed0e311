/** Images over HTTP: decode, one call of the service, encode. */
import { invalidParameter } from '../../../api-spec/errors.js';
import type { HandlersOf, StreamCall } from '../call.js';
import type { ContainersApi, ImagesApi } from '../needs.js';
import { decodeRegistryAuth } from '../registry-auth.js';
import { sendFile, sendProgress } from '../streams.js';
import type { Operations } from '../../../api-spec/operations/index.js';

type Ids =
  | 'DistributionInspect'
  | 'ImageCommit'
  | 'ImageCreate'
  | 'ImageDelete'
  | 'ImageGet'
  | 'ImageGetAll'
  | 'ImageHistory'
  | 'ImageInspect'
  | 'ImageList'
  | 'ImageLoad'
  | 'ImagePrune'
  | 'ImagePush'
  | 'ImageSearch'
  | 'ImageTag';

/** Handlers of the operations on images; `commit` belongs to the containers. */
export function imageRoutes(images: ImagesApi, containers: ContainersApi): HandlersOf<Ids> {
  return { ...views(images), ...changes(images, containers), ...transfers(images) };
}

const views = (images: ImagesApi) =>
  ({
    ImageList: ({ query, filters }) =>
      images.list({
        all: query.all,
        filters,
        sharedSize: query['shared-size'],
        digests: query.digests,
        manifests: query.manifests,
      }),
    ImageInspect: ({ params, query }) => {
      const { platform, manifests } = query;
      if (manifests && platform !== '') {
        throw invalidParameter(
          'conflicting options: manifests and platform options cannot both be set',
        );
      }
      return images.inspect(params.name, { platform, manifests });
    },
    ImageHistory: ({ params, query }) => images.history(params.name, { platform: query.platform }),
    ImageSearch: async ({ query, filters, headers }) => {
      const auth = decodeRegistryAuth(headers['x-registry-auth']);
      const limit = query.limit ?? defaultSearchLimit;
      return images.search({ term: query.term, limit, filters, auth });
    },
    DistributionInspect: async ({ params, headers }) => {
      const auth = decodeRegistryAuth(headers['x-registry-auth']);
      return images.distribution(params.name, auth);
    },
  }) satisfies Partial<HandlersOf<Ids>>;

const defaultSearchLimit = 25;

const changes = (images: ImagesApi, containers: ContainersApi) =>
  ({
    ImageTag: ({ params, query }) =>
      images.tag(params.name, { repo: query.repo, tag: query.tag }),
    ImageDelete: ({ params, query: { force, noprune, platforms } }) =>
      images.remove(params.name, { force, noprune, platforms }),
    ImagePrune: ({ filters }) => images.prune(filters),
    ImageCommit: async ({ query, body }) => {
      const { container, repo, tag, comment, author, pause } = query;
      const request = { container, repo, tag, comment, author, pause, changes: query.changes };
      return containers.commit({ ...request, config: body });
    },
  }) satisfies Partial<HandlersOf<Ids>>;

const transfers = (images: ImagesApi) =>
  ({
    ImageCreate: async (call) => {
      if (call.query.fromImage !== '') await pull(images, call);
      else if (call.query.fromSrc !== '') await importTar(images, call);
      else throw invalidParameter('one of fromImage and fromSrc must be given');
    },
    ImageLoad: async ({ query, request, response, signal }) => {
      const { quiet, platform: platforms } = query;
      await sendProgress(response, (sink) =>
        images.load({ body: request, quiet, platforms, sink, signal }),
      );
    },
    ImagePush: async ({ params, query, headers, response, signal }) => {
      const auth = decodeRegistryAuth(headers['x-registry-auth']);
      const { tag, platform } = query;
      await sendProgress(response, (sink) =>
        images.push({ image: params.name, tag, platform, auth, sink, signal }),
      );
    },
    ImageGet: ({ params, query, response, signal }) =>
      save(images, [params.name], { platforms: query.platform, response, signal }),
    ImageGetAll: ({ query, response, signal }) =>
      save(images, query.names, { platforms: query.platform, response, signal }),
  }) satisfies Partial<HandlersOf<Ids>>;

type CreateCall = StreamCall<Operations['ImageCreate']>;

async function pull(images: ImagesApi, call: CreateCall): Promise<void> {
  const { query, headers, response, signal } = call;
  const { fromImage: image, tag, platform } = query;
  const auth = decodeRegistryAuth(headers['x-registry-auth']);
  await sendProgress(response, (sink) => images.pull({ image, tag, platform, auth, sink, signal }));
}

async function importTar(images: ImagesApi, call: CreateCall): Promise<void> {
  const { query, request: body, response, signal } = call;
  const { fromSrc: source, repo, tag, message, platform } = query;
  const request = { source, body, repo, tag, message, platform, changes: query.changes };
  await sendProgress(response, (sink) => images.import({ ...request, sink, signal }));
}

async function save(
  images: ImagesApi,
  names: readonly string[],
  to: Pick<CreateCall, 'response' | 'signal'> & { readonly platforms: readonly string[] },
): Promise<void> {
  const { platforms, signal } = to;
  const tar = await images.save(names, { platforms, signal });
  await sendFile(to.response, 'application/x-tar', tar, signal);
}
