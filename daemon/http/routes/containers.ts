/** Containers over HTTP: decode, one call of the service, encode. */
import { forbidden, invalidParameter } from '../../../api-spec/errors.js';
import type { ContainerPathStat } from '../../../api-spec/index.js';
import type { HandlersOf } from '../call.js';
import { outputType } from '../hijack.js';
import type { ContainersApi, StopRequest, TerminalSize } from '../needs.js';
import { parseInteger, parseUnixNano } from '../query.js';
import { sendArchive, sendBytes, sendFile, sendTexts } from '../streams.js';

type Ids =
  | 'ContainerArchive'
  | 'ContainerArchiveInfo'
  | 'ContainerChanges'
  | 'ContainerCreate'
  | 'ContainerDelete'
  | 'ContainerExport'
  | 'ContainerInspect'
  | 'ContainerKill'
  | 'ContainerList'
  | 'ContainerLogs'
  | 'ContainerPause'
  | 'ContainerPrune'
  | 'ContainerRename'
  | 'ContainerResize'
  | 'ContainerRestart'
  | 'ContainerStart'
  | 'ContainerStats'
  | 'ContainerStop'
  | 'ContainerTop'
  | 'ContainerUnpause'
  | 'ContainerUpdate'
  | 'ContainerWait'
  | 'PutContainerArchive';

/** Handlers of the operations on containers, but those that hijack the connection. */
export function containerRoutes(containers: ContainersApi): HandlersOf<Ids> {
  return { ...lifecycle(containers), ...views(containers), ...files(containers) };
}

const lifecycle = (containers: ContainersApi) =>
  ({
    ContainerCreate: async ({ query, body, apiMinor }) => {
      if (Object.keys(body).every((key) => key === 'HostConfig' || key === 'NetworkingConfig')) {
        throw invalidParameter('config cannot be empty in order to create a container');
      }
      return containers.create({
        ...(query.name !== '' && { name: query.name }),
        ...(query.platform !== '' && { platform: query.platform }),
        body,
        apiMinor,
      });
    },
    ContainerStart: async ({ params, query, headers }) => {
      if (Number(headers['content-length'] ?? 0) > maxStartBodyBytes) {
        throw invalidParameter(
          'starting container with non-empty request body was deprecated since API v1.22 ' +
            'and removed in v1.24',
        );
      }
      refuseCheckpoint(query);
      const outcome = await containers.start(params.id, detachKeysOf(query.detachKeys));
      return outcome === 'alreadyRunning' ? 'notModified' : undefined;
    },
    ContainerStop: async ({ params, query, apiMinor }) => {
      const outcome = await containers.stop(params.id, stopRequest(query, apiMinor));
      return outcome === 'alreadyStopped' ? 'notModified' : undefined;
    },
    ContainerRestart: ({ params, query, apiMinor }) =>
      containers.restart(params.id, stopRequest(query, apiMinor)),
    ContainerKill: ({ params, query }) =>
      containers.kill(params.id, query.signal === '' ? {} : { signal: query.signal }),
    ContainerWait: async ({ params, query, response, signal }) => {
      const condition = waitCondition(query.condition);
      const { result } = await containers.wait(params.id, { condition, signal });
      await sendTexts(response, 'application/json', oneJson(result), signal);
    },
    ContainerRename: ({ params, query }) => {
      if (query.name === '') throw invalidParameter('Neither old nor new names may be empty');
      return containers.rename(params.id, query.name);
    },
    ContainerPause: ({ params }) => containers.pause(params.id),
    ContainerUnpause: ({ params }) => containers.unpause(params.id),
    ContainerUpdate: ({ params, body }) => containers.update(params.id, body),
    ContainerDelete: ({ params, query }) =>
      containers.remove(params.id, { volumes: query.v, force: query.force, link: query.link }),
    ContainerPrune: ({ filters }) => containers.prune(filters),
    ContainerResize: ({ params, query }) => containers.resize(params.id, terminalSize(query)),
  }) satisfies Partial<HandlersOf<Ids>>;

const views = (containers: ContainersApi) =>
  ({
    ContainerList: ({ query, filters }) =>
      containers.list({ all: query.all, limit: query.limit ?? 0, size: query.size, filters }),
    ContainerInspect: ({ params, query }) => containers.inspect(params.id, { size: query.size }),
    ContainerTop: ({ params, query }) => containers.top(params.id, query.ps_args || '-ef'),
    ContainerChanges: ({ params }) => containers.changes(params.id),
    ContainerLogs: async ({ params, query, apiMinor, response, signal }) => {
      if (!query.stdout && !query.stderr) {
        throw invalidParameter('Bad parameters: you must choose at least one stream');
      }
      const { tty, bytes } = await containers.logs(params.id, { ...logsRequest(query), signal });
      await sendBytes(response, outputType(tty, apiMinor), bytes, signal);
    },
    ContainerStats: async ({ params, query, response, signal }) => {
      const options = { stream: query.stream, oneShot: query['one-shot'], signal };
      const samples = await containers.stats(params.id, options);
      await sendTexts(response, 'application/json', jsonLines(samples), signal);
    },
  }) satisfies Partial<HandlersOf<Ids>>;

const files = (containers: ContainersApi) =>
  ({
    ContainerExport: async ({ params, response, signal }) => {
      const tar = await containers.export(params.id);
      await sendFile(response, 'application/octet-stream', tar, signal);
    },
    ContainerArchiveInfo: async ({ params, query, response }) => {
      setStat(response, await containers.archiveInfo(params.id, pathOf(query)));
    },
    ContainerArchive: async ({ params, query, headers, response, signal }) => {
      const { stat, tar } = await containers.archiveGet(params.id, pathOf(query));
      setStat(response, stat);
      await sendArchive(response, tar, headers['accept-encoding'], signal);
    },
    PutContainerArchive: ({ params, query, request, signal }) =>
      containers.archivePut(params.id, {
        path: pathOf(query),
        tar: request,
        noOverwriteDirNonDir: query.noOverwriteDirNonDir,
        copyUIDGID: query.copyUIDGID,
        signal,
      }),
  }) satisfies Partial<HandlersOf<Ids>>;

/** Old clients send `{}` or `null`; a HostConfig at start is long gone. */
const maxStartBodyBytes = 7;

/** Docker's words of an engine that is not experimental. */
function refuseCheckpoint(query: {
  readonly checkpoint: string;
  readonly 'checkpoint-dir': string;
}): void {
  if (query['checkpoint-dir'] !== '') throw forbidden('custom checkpointdir is not supported');
  if (query.checkpoint !== '') {
    throw invalidParameter('checkpoint is only supported in experimental mode');
  }
}

/** Detach keys as an option, when there are any. */
export const detachKeysOf = (detachKeys: string) => (detachKeys === '' ? {} : { detachKeys });

function stopRequest(
  query: { readonly signal: string; readonly t: number | undefined },
  apiMinor: number,
): StopRequest {
  return {
    ...(query.t !== undefined && { timeoutSeconds: query.t }),
    // Before 1.42 the parameter did not exist, and was ignored.
    ...(query.signal !== '' && apiMinor >= 42 && { signal: query.signal }),
  };
}

function waitCondition(text: string): 'not-running' | 'next-exit' | 'removed' {
  switch (text) {
    case '':
    case 'not-running':
      return 'not-running';
    case 'next-exit':
    case 'removed':
      return text;
    default:
      throw invalidParameter(`invalid condition: ${JSON.stringify(text)}`);
  }
}

/** The size of a terminal; Docker refuses what is not a number, and what is missing. */
export function terminalSize(query: { readonly h: string; readonly w: string }): TerminalSize {
  return { rows: parseInteger(query.h), columns: parseInteger(query.w) };
}

function logsRequest(query: {
  readonly follow: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly since: string;
  readonly until: string;
  readonly timestamps: boolean;
  readonly details: boolean;
  readonly tail: string;
}) {
  const { follow, stdout, stderr, timestamps, details } = query;
  const sinceNano = parseUnixNano(query.since);
  const untilNano = parseUnixNano(query.until);
  // `all`, nothing, a negative number and nonsense all mean the whole log.
  const tail = /^\d+$/.test(query.tail) ? Number(query.tail) : undefined;
  return {
    follow,
    stdout,
    stderr,
    timestamps,
    details,
    ...(sinceNano !== undefined && { sinceNano }),
    ...(untilNano !== undefined && { untilNano }),
    ...(tail !== undefined && { tail }),
  };
}

function pathOf(query: { readonly path: string }): string {
  // Docker's words, blank by blank.
  if (query.path === '') throw invalidParameter('bad parameter: pathcannot be empty');
  return query.path;
}

function setStat(
  response: { setHeader(name: string, value: string): unknown },
  stat: ContainerPathStat,
): void {
  const encoded = Buffer.from(JSON.stringify(stat)).toString('base64');
  response.setHeader('X-Docker-Container-Path-Stat', encoded);
}

async function* oneJson(value: Promise<unknown>): AsyncGenerator<string> {
  yield `${JSON.stringify(await value)}\n`;
}

async function* jsonLines(values: AsyncIterable<unknown>): AsyncGenerator<string> {
  for await (const value of values) yield `${JSON.stringify(value)}\n`;
}
