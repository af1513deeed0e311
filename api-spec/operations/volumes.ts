/** Operations on volumes. */
import { bool, created, emptyOk, json, jsonBody, noContent, operation } from '../operation.js';
import { VolumePruneResponse } from '../prune.js';
import { Volume, VolumeCreateRequest, VolumeListResponse } from '../volume.js';

export const VolumeList = operation({
  operationId: 'VolumeList',
  method: 'GET',
  url: '/volumes',
  summary: 'Lists volumes.',
  since: 24,
  filters: ['dangling', 'driver', 'label', 'name'],
  answer: json(VolumeListResponse),
});

export const VolumeCreate = operation({
  operationId: 'VolumeCreate',
  method: 'POST',
  url: '/volumes/create',
  summary: 'Makes a volume, or finds it by the same name.',
  since: 24,
  body: jsonBody(VolumeCreateRequest),
  answer: created(Volume),
});

export const VolumeInspect = operation({
  operationId: 'VolumeInspect',
  method: 'GET',
  url: '/volumes/:name',
  summary: 'Tells about one volume.',
  since: 24,
  answer: json(Volume),
});

export const VolumeUpdate = operation({
  operationId: 'VolumeUpdate',
  method: 'PUT',
  url: '/volumes/:name',
  summary: 'Changes a cluster volume: there are none without a swarm.',
  since: 42,
  answer: emptyOk,
});

export const VolumeDelete = operation({
  operationId: 'VolumeDelete',
  method: 'DELETE',
  url: '/volumes/:name',
  summary: 'Removes a volume that nothing uses.',
  since: 24,
  query: { force: bool },
  answer: noContent,
});

export const VolumePrune = operation({
  operationId: 'VolumePrune',
  method: 'POST',
  url: '/volumes/prune',
  summary: 'Removes the volumes that nothing uses.',
  since: 25,
  filters: ['all', 'label', 'label!'],
  answer: json(VolumePruneResponse),
});
