/** Operations on images, and those that make them. */
import { Type } from 'typebox';
import { ContainerConfig } from '../container-config.js';
import { IDResponse } from '../container-verbs.js';
import {
  DistributionInspect as DistributionInspectShape,
  ImageDeleteResponseItem,
  ImageHistoryResponseItem,
  ImageInspect as ImageInspectShape,
  ImageSearchResponseItem,
  ImageSummary,
} from '../image.js';
import {
  bool,
  boolOrTrue,
  created,
  emptyOk,
  int,
  json,
  jsonBody,
  operation,
  str,
  stream,
  strs,
  tarBody,
} from '../operation.js';
import { BuildPruneResponse, ImagePruneResponse } from '../prune.js';

export const ImageList = operation({
  operationId: 'ImageList',
  method: 'GET',
  url: '/images/json',
  summary: 'Lists images.',
  since: 24,
  query: { all: bool, 'shared-size': bool, digests: bool, manifests: bool },
  filters: ['before', 'dangling', 'label', 'reference', 'since', 'until'],
  answer: json(Type.Array(ImageSummary)),
});

export const ImageCreate = operation({
  operationId: 'ImageCreate',
  method: 'POST',
  url: '/images/create',
  summary: 'Pulls an image from a registry, or imports one from a tar.',
  since: 24,
  query: {
    fromImage: str,
    fromSrc: str,
    repo: str,
    tag: str,
    message: str,
    changes: strs,
    platform: str,
  },
  body: tarBody,
  answer: stream('application/json'),
});

export const ImageInspect = operation({
  operationId: 'ImageInspect',
  method: 'GET',
  url: '/images/:name/json',
  summary: 'Tells everything about one image.',
  since: 24,
  query: { manifests: bool, platform: str },
  answer: json(ImageInspectShape),
});

export const ImageHistory = operation({
  operationId: 'ImageHistory',
  method: 'GET',
  url: '/images/:name/history',
  summary: 'Lists the steps that made an image.',
  since: 24,
  query: { platform: str },
  answer: json(Type.Array(ImageHistoryResponseItem)),
});

export const ImagePush = operation({
  operationId: 'ImagePush',
  method: 'POST',
  url: '/images/:name/push',
  summary: 'Sends an image to a registry.',
  since: 24,
  query: { tag: str, platform: str },
  answer: stream('application/json'),
});

export const ImageTag = operation({
  operationId: 'ImageTag',
  method: 'POST',
  url: '/images/:name/tag',
  summary: 'Gives an image a further name.',
  since: 24,
  query: { repo: str, tag: str },
  answer: { kind: 'empty', status: 201 },
});

export const ImageDelete = operation({
  operationId: 'ImageDelete',
  method: 'DELETE',
  url: '/images/:name',
  summary: 'Takes a name from an image, and removes it with the last one.',
  since: 24,
  query: { force: bool, noprune: bool, platforms: strs },
  answer: json(Type.Array(ImageDeleteResponseItem)),
});

export const ImageSearch = operation({
  operationId: 'ImageSearch',
  method: 'GET',
  url: '/images/search',
  summary: "Searches Docker Hub's catalogue.",
  since: 24,
  query: { term: str, limit: int },
  filters: ['is-automated', 'is-official', 'stars'],
  answer: json(Type.Array(ImageSearchResponseItem)),
});

export const ImagePrune = operation({
  operationId: 'ImagePrune',
  method: 'POST',
  url: '/images/prune',
  summary: 'Removes the images that nothing uses.',
  since: 25,
  filters: ['dangling', 'label', 'label!', 'until'],
  answer: json(ImagePruneResponse),
});

export const ImageGet = operation({
  operationId: 'ImageGet',
  method: 'GET',
  url: '/images/:name/get',
  summary: 'Sends an image as a tar.',
  since: 24,
  query: { platform: strs },
  answer: stream('application/x-tar'),
});

export const ImageGetAll = operation({
  operationId: 'ImageGetAll',
  method: 'GET',
  url: '/images/get',
  summary: 'Sends several images as one tar.',
  since: 24,
  query: { names: strs, platform: strs },
  answer: stream('application/x-tar'),
});

export const ImageLoad = operation({
  operationId: 'ImageLoad',
  method: 'POST',
  url: '/images/load',
  summary: 'Takes images from a tar.',
  since: 24,
  query: { quiet: boolOrTrue, platform: strs },
  body: tarBody,
  answer: stream('application/json'),
});

export const ImageCommit = operation({
  operationId: 'ImageCommit',
  method: 'POST',
  url: '/commit',
  summary: 'Makes an image from a container.',
  since: 24,
  query: {
    container: str,
    repo: str,
    tag: str,
    comment: str,
    author: str,
    pause: boolOrTrue,
    changes: strs,
  },
  body: jsonBody(ContainerConfig),
  answer: created(IDResponse),
});

export const ImageBuild = operation({
  operationId: 'ImageBuild',
  method: 'POST',
  url: '/build',
  summary: 'Builds an image from a Dockerfile and its context.',
  since: 24,
  query: {
    t: strs,
    dockerfile: str,
    remote: str,
    q: bool,
    nocache: bool,
    cachefrom: str,
    pull: str,
    rm: boolOrTrue,
    forcerm: bool,
    buildargs: str,
    labels: str,
    networkmode: str,
    extrahosts: strs,
    target: str,
    platform: str,
    shmsize: int,
    memory: int,
    memswap: int,
    cpushares: int,
    cpuperiod: int,
    cpuquota: int,
    cpusetcpus: str,
    cpusetmems: str,
    cgroupparent: str,
    ulimits: str,
    squash: bool,
    isolation: str,
    securityopt: str,
    session: str,
    version: str,
    outputs: str,
    buildid: str,
    /** Not in Docker: what happens to each step, when it happens, instead of the classic text. */
    vertices: bool,
  },
  body: tarBody,
  answer: stream('application/json'),
});

export const BuildPrune = operation({
  operationId: 'BuildPrune',
  method: 'POST',
  url: '/build/prune',
  summary: 'Removes what builds left in the cache.',
  since: 31,
  query: {
    all: bool,
    'keep-storage': int,
    'reserved-space': int,
    'max-used-space': int,
    'min-free-space': int,
  },
  filters: [
    'description',
    'id',
    'inuse',
    'label',
    'label!',
    'parent',
    'private',
    'shared',
    'type',
    'unused-for',
    'until',
  ],
  answer: json(BuildPruneResponse),
});

/** Docker answers it, and does not describe it. */
export const BuildCancel = operation({
  operationId: 'BuildCancel',
  method: 'POST',
  url: '/build/cancel',
  summary: 'Ends a build that was given an id.',
  since: 39,
  query: { id: str },
  answer: emptyOk,
});

export const DistributionInspect = operation({
  operationId: 'DistributionInspect',
  method: 'GET',
  url: '/distribution/:name/json',
  summary: 'Asks the registry about an image without pulling it.',
  since: 30,
  answer: json(DistributionInspectShape),
});
