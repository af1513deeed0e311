/** Operations on containers. */
import { Type } from 'typebox';
import {
  ContainerCreateBody,
  ContainerCreateResponse,
  ContainerInspectResponse,
  ContainerSummary,
} from '../container.js';
import {
  ContainerTopResponse,
  ContainerUpdateBody,
  ContainerUpdateResponse,
  FilesystemChange,
} from '../container-verbs.js';
import {
  bool,
  boolOrTrue,
  created,
  emptyOk,
  hijack,
  int,
  json,
  jsonBody,
  noContent,
  operation,
  str,
  stream,
  tarBody,
} from '../operation.js';
import { ContainerPruneResponse } from '../prune.js';

/** The media type of raw and of framed output. */
export const rawStream = 'application/vnd.docker.raw-stream';
/** Output in frames of eight bytes of head (stream, length) and payload. */
export const multiplexedStream = 'application/vnd.docker.multiplexed-stream';

const attachQuery = {
  detachKeys: str,
  logs: bool,
  stream: bool,
  stdin: bool,
  stdout: bool,
  stderr: bool,
};

export const ContainerList = operation({
  operationId: 'ContainerList',
  method: 'GET',
  url: '/containers/json',
  summary: 'Lists containers: the running ones, or all.',
  since: 24,
  query: { all: bool, limit: int, size: bool },
  filters: [
    'ancestor',
    'before',
    'exited',
    'expose',
    'health',
    'id',
    'is-task',
    'isolation',
    'label',
    'name',
    'network',
    'publish',
    'since',
    'status',
    'volume',
  ],
  answer: json(Type.Array(ContainerSummary)),
});

export const ContainerCreate = operation({
  operationId: 'ContainerCreate',
  method: 'POST',
  url: '/containers/create',
  summary: 'Makes a container from an image, without starting it.',
  since: 24,
  query: { name: str, platform: str },
  body: { kind: 'json', schema: ContainerCreateBody, required: true },
  answer: created(ContainerCreateResponse),
});

export const ContainerInspect = operation({
  operationId: 'ContainerInspect',
  method: 'GET',
  url: '/containers/:id/json',
  summary: 'Tells everything about one container.',
  since: 24,
  query: { size: bool },
  answer: json(ContainerInspectResponse),
});

export const ContainerTop = operation({
  operationId: 'ContainerTop',
  method: 'GET',
  url: '/containers/:id/top',
  summary: 'Lists the processes in a container.',
  since: 24,
  query: { ps_args: str },
  answer: json(ContainerTopResponse),
});

export const ContainerLogs = operation({
  operationId: 'ContainerLogs',
  method: 'GET',
  url: '/containers/:id/logs',
  summary: 'Shows what a container wrote, and follows it.',
  since: 24,
  query: {
    follow: bool,
    stdout: bool,
    stderr: bool,
    since: str,
    until: str,
    timestamps: bool,
    details: bool,
    tail: str,
  },
  answer: stream(multiplexedStream),
});

export const ContainerChanges = operation({
  operationId: 'ContainerChanges',
  method: 'GET',
  url: '/containers/:id/changes',
  summary: 'Lists the paths that differ from the image.',
  since: 24,
  answer: json(Type.Union([Type.Array(FilesystemChange), Type.Null()])),
});

export const ContainerExport = operation({
  operationId: 'ContainerExport',
  method: 'GET',
  url: '/containers/:id/export',
  summary: "Sends a container's files as a tar.",
  since: 24,
  answer: stream('application/octet-stream'),
});

export const ContainerStats = operation({
  operationId: 'ContainerStats',
  method: 'GET',
  url: '/containers/:id/stats',
  summary: 'Samples what a container uses, once or every second.',
  since: 24,
  query: { stream: boolOrTrue, 'one-shot': bool },
  answer: stream('application/json'),
});

export const ContainerResize = operation({
  operationId: 'ContainerResize',
  method: 'POST',
  url: '/containers/:id/resize',
  summary: "Sets the size of a container's terminal.",
  since: 24,
  query: { h: str, w: str },
  answer: emptyOk,
});

export const ContainerStart = operation({
  operationId: 'ContainerStart',
  method: 'POST',
  url: '/containers/:id/start',
  summary: 'Starts a container; 304 when it already runs.',
  since: 24,
  query: { detachKeys: str, checkpoint: str, 'checkpoint-dir': str },
  answer: noContent,
});

export const ContainerStop = operation({
  operationId: 'ContainerStop',
  method: 'POST',
  url: '/containers/:id/stop',
  summary: 'Asks a container to end and kills it after a time; 304 when it does not run.',
  since: 24,
  query: { signal: str, t: int },
  answer: noContent,
});

export const ContainerRestart = operation({
  operationId: 'ContainerRestart',
  method: 'POST',
  url: '/containers/:id/restart',
  summary: 'Stops a container and starts it again.',
  since: 24,
  query: { signal: str, t: int },
  answer: noContent,
});

export const ContainerKill = operation({
  operationId: 'ContainerKill',
  method: 'POST',
  url: '/containers/:id/kill',
  summary: 'Sends a signal to a running container.',
  since: 24,
  query: { signal: str },
  answer: noContent,
});

export const ContainerUpdate = operation({
  operationId: 'ContainerUpdate',
  method: 'POST',
  url: '/containers/:id/update',
  summary: 'Changes limits, restart policy, ports, labels and log options of a container.',
  since: 24,
  body: jsonBody(ContainerUpdateBody),
  answer: json(ContainerUpdateResponse),
});

export const ContainerRename = operation({
  operationId: 'ContainerRename',
  method: 'POST',
  url: '/containers/:id/rename',
  summary: 'Gives a container another name.',
  since: 24,
  query: { name: str },
  answer: noContent,
});

export const ContainerPause = operation({
  operationId: 'ContainerPause',
  method: 'POST',
  url: '/containers/:id/pause',
  summary: 'Freezes every process of a container.',
  since: 24,
  answer: noContent,
});

export const ContainerUnpause = operation({
  operationId: 'ContainerUnpause',
  method: 'POST',
  url: '/containers/:id/unpause',
  summary: 'Lets a frozen container go on.',
  since: 24,
  answer: noContent,
});

export const ContainerAttach = operation({
  operationId: 'ContainerAttach',
  method: 'POST',
  url: '/containers/:id/attach',
  summary: "Joins a container's standard streams over the hijacked connection.",
  since: 24,
  query: attachQuery,
  answer: hijack,
});

export const ContainerAttachWebsocket = operation({
  operationId: 'ContainerAttachWebsocket',
  method: 'GET',
  url: '/containers/:id/attach/ws',
  summary: "Joins a container's standard streams over a websocket.",
  since: 24,
  query: attachQuery,
  answer: hijack,
});

export const ContainerWait = operation({
  operationId: 'ContainerWait',
  method: 'POST',
  url: '/containers/:id/wait',
  summary: 'Answers when a container has ended; its headers come at once.',
  since: 24,
  query: { condition: str },
  answer: stream('application/json'),
});

export const ContainerDelete = operation({
  operationId: 'ContainerDelete',
  method: 'DELETE',
  url: '/containers/:id',
  summary: 'Removes a container.',
  since: 24,
  query: { v: bool, force: bool, link: bool },
  answer: noContent,
});

export const ContainerArchiveInfo = operation({
  operationId: 'ContainerArchiveInfo',
  method: 'HEAD',
  url: '/containers/:id/archive',
  summary: 'Tells about one path in a container, in a header.',
  since: 24,
  query: { path: str },
  answer: emptyOk,
});

export const ContainerArchive = operation({
  operationId: 'ContainerArchive',
  method: 'GET',
  url: '/containers/:id/archive',
  summary: 'Sends a path of a container as a tar.',
  since: 24,
  query: { path: str },
  answer: stream('application/x-tar'),
});

export const PutContainerArchive = operation({
  operationId: 'PutContainerArchive',
  method: 'PUT',
  url: '/containers/:id/archive',
  summary: 'Unpacks a tar into a folder of a container.',
  since: 24,
  query: { path: str, noOverwriteDirNonDir: bool, copyUIDGID: bool },
  body: tarBody,
  answer: emptyOk,
});

/** Docker answers these three, and does not describe them. */
export const CheckpointList = operation({
  operationId: 'CheckpointList',
  method: 'GET',
  url: '/containers/:id/checkpoints',
  summary: 'Lists checkpoints of a container: experimental engines only.',
  since: 25,
  answer: noContent,
});

export const CheckpointCreate = operation({
  operationId: 'CheckpointCreate',
  method: 'POST',
  url: '/containers/:id/checkpoints',
  summary: 'Makes a checkpoint of a container: experimental engines only.',
  since: 25,
  answer: noContent,
});

export const CheckpointDelete = operation({
  operationId: 'CheckpointDelete',
  method: 'DELETE',
  url: '/containers/:id/checkpoints/:checkpoint',
  summary: 'Removes a checkpoint of a container: experimental engines only.',
  since: 25,
  answer: noContent,
});

export const ContainerPrune = operation({
  operationId: 'ContainerPrune',
  method: 'POST',
  url: '/containers/prune',
  summary: 'Removes the containers that do not run.',
  since: 25,
  filters: ['label', 'label!', 'until'],
  answer: json(ContainerPruneResponse),
});
