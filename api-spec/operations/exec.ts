/** Operations on further processes in a container. */
import {
  ExecCreateBody,
  ExecInspectResponse,
  ExecStartBody,
  IDResponse,
} from '../container-verbs.js';
import { created, emptyOk, hijack, json, jsonBody, operation, str } from '../operation.js';

export const ContainerExec = operation({
  operationId: 'ContainerExec',
  method: 'POST',
  url: '/containers/:id/exec',
  summary: 'Prepares a further process in a running container.',
  since: 24,
  body: jsonBody(ExecCreateBody),
  answer: created(IDResponse),
});

export const ExecStart = operation({
  operationId: 'ExecStart',
  method: 'POST',
  url: '/exec/:id/start',
  summary: 'Starts a prepared process and joins its streams, or detaches.',
  since: 24,
  body: jsonBody(ExecStartBody),
  answer: hijack,
});

export const ExecResize = operation({
  operationId: 'ExecResize',
  method: 'POST',
  url: '/exec/:id/resize',
  summary: "Sets the size of a process's terminal.",
  since: 24,
  query: { h: str, w: str },
  answer: emptyOk,
});

export const ExecInspect = operation({
  operationId: 'ExecInspect',
  method: 'GET',
  url: '/exec/:id/json',
  summary: 'Tells about a prepared process; the exit code once it has ended.',
  since: 24,
  answer: json(ExecInspectResponse),
});
