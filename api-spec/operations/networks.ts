/** Operations on networks. */
import { Type } from 'typebox';
import {
  NetworkConnectRequest,
  NetworkCreateRequest,
  NetworkCreateResponse,
  NetworkDisconnectRequest,
  NetworkInspect as NetworkInspectShape,
} from '../network.js';
import { created, emptyOk, json, jsonBody, noContent, operation, str } from '../operation.js';
import { NetworkPruneResponse } from '../prune.js';

export const NetworkList = operation({
  operationId: 'NetworkList',
  method: 'GET',
  url: '/networks',
  summary: 'Lists networks.',
  since: 24,
  filters: ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'],
  answer: json(Type.Array(NetworkInspectShape)),
});

export const NetworkInspect = operation({
  operationId: 'NetworkInspect',
  method: 'GET',
  url: '/networks/:id',
  summary: 'Tells about one network and who is on it.',
  since: 24,
  query: { verbose: str, scope: str },
  answer: json(NetworkInspectShape),
});

export const NetworkDelete = operation({
  operationId: 'NetworkDelete',
  method: 'DELETE',
  url: '/networks/:id',
  summary: 'Removes a network that nobody is on.',
  since: 24,
  answer: noContent,
});

export const NetworkCreate = operation({
  operationId: 'NetworkCreate',
  method: 'POST',
  url: '/networks/create',
  summary: 'Makes a network.',
  since: 24,
  body: jsonBody(NetworkCreateRequest),
  answer: created(NetworkCreateResponse),
});

export const NetworkConnect = operation({
  operationId: 'NetworkConnect',
  method: 'POST',
  url: '/networks/:id/connect',
  summary: 'Puts a container on a network.',
  since: 24,
  body: jsonBody(NetworkConnectRequest),
  answer: emptyOk,
});

export const NetworkDisconnect = operation({
  operationId: 'NetworkDisconnect',
  method: 'POST',
  url: '/networks/:id/disconnect',
  summary: 'Takes a container off a network.',
  since: 24,
  body: jsonBody(NetworkDisconnectRequest),
  answer: emptyOk,
});

export const NetworkPrune = operation({
  operationId: 'NetworkPrune',
  method: 'POST',
  url: '/networks/prune',
  summary: 'Removes the networks that nobody is on.',
  since: 25,
  filters: ['label', 'label!', 'until'],
  answer: json(NetworkPruneResponse),
});
