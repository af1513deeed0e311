/**
 * The one listener for `Upgrade`: hijacks, websockets, and whoever asks for a protocol that we do
 * not speak and gets an ordinary answer. Everything else about HTTP is the framework's.
 */
import { STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { notImplemented } from '../../api-spec/errors.js';
import type { Operation } from '../../api-spec/operation.js';
import { operations, rawStream } from '../../api-spec/operations/index.js';
import { decodeHead, decodeText, type Call, type Handlers } from './call.js';
import { refusalBody, refusalOf, type Refusal } from './errors.js';
import { answerHead, converse, needsHold, outputType } from './hijack.js';
import { bodyLengthOf, skipBody, takeJson } from './hijack-body.js';
import { demandJson } from './guard.js';
import type { Conversation } from './conversation.js';
import { headWithoutUpgrade, oldHijack } from './transport.js';
import { rewriteUrl } from './versioning.js';

/** What an upgrade may turn into, and what it is checked by. */
export interface UpgradeOptions {
  readonly http: Server;
  readonly handlers: Pick<Handlers, 'ContainerAttach' | 'ExecStart'>;
  /** Throws what every request may be refused for. */
  readonly guard: (request: IncomingMessage) => void;
  /** Headers of every answer. */
  readonly headers: Readonly<Record<string, string>>;
  /** Takes over a websocket handshake. */
  readonly websocket: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  readonly onRefusal: (refusal: Refusal, error: unknown) => void;
  /** Sees to it that a client that goes without a word is noticed. */
  readonly watch: (socket: Duplex) => void;
}

interface Route {
  readonly operation: Operation;
  readonly id: string;
  readonly handler: (call: Call<Operation>) => Promise<Conversation | undefined>;
}

/** Answers one request for an upgrade. Never throws; what is refused is told to the client. */
export function onUpgrade(
  options: UpgradeOptions,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const url = request.url ?? '/';
  request.url = rewriteUrl(request);
  const wanted = request.headers.upgrade?.toLowerCase();
  const path = request.url.split('?')[0] ?? '';
  if (wanted === 'websocket' && path.endsWith('/attach/ws')) {
    options.websocket(request, socket, head);
    return;
  }
  if (head.length > 0) socket.unshift(head);
  // From here on the socket is ours alone: without a listener its error would end the daemon.
  const onError = () => socket.destroy();
  socket.on('error', onError);
  const route = request.method === 'POST' ? findRoute(options.handlers, path) : undefined;
  const work =
    route !== undefined
      ? hijack(options, route, request, socket)
      : path === '/session' || path === '/grpc'
        ? Promise.reject(notImplemented(`${path} is not implemented: there is no BuildKit here`))
        : undefined;
  if (work === undefined) {
    socket.off('error', onError);
    asOrdinary(options.http, request, url, socket);
    return;
  }
  work.catch((error: unknown) => {
    const isTaken = error instanceof TakenOver;
    const why = isTaken ? error.cause : error;
    const refusal = refusalOf(why);
    options.onRefusal(refusal, why);
    refuse(socket, refusal, options.headers, isTaken);
  });
}

/** Docker has taken the connection of an attach over before it knows whether it can attach. */
class TakenOver extends Error {
  constructor(cause: unknown) {
    super('refused as text', { cause });
  }
}

const attachPath = /^\/containers\/([^/]+)\/attach$/;
const execPath = /^\/exec\/([^/]+)\/start$/;

function findRoute(handlers: UpgradeOptions['handlers'], path: string): Route | undefined {
  const container = attachPath.exec(path)?.[1];
  if (container !== undefined) {
    // Each handler is given the call that was decoded for its own operation, here and only here.
    const handler = handlers.ContainerAttach as Route['handler'];
    return { operation: operations.ContainerAttach, id: container, handler };
  }
  const exec = execPath.exec(path)?.[1];
  if (exec === undefined) return undefined;
  // As above.
  const handler = handlers.ExecStart as Route['handler'];
  return { operation: operations.ExecStart, id: exec, handler };
}

async function hijack(
  options: UpgradeOptions,
  route: Route,
  request: IncomingMessage,
  socket: Duplex,
): Promise<void> {
  const { operation } = route;
  options.guard(request);
  const head = decodeHead(operation, request, { id: decodeURIComponent(route.id) });
  const { client, body } = await cutBody(operation, request, socket);
  // The operation's own schema described what was decoded.
  const call = { ...head, body } as Call<Operation>;
  const conversation = await route.handler(call).catch((error: unknown) => {
    throw operation === operations.ContainerAttach ? new TakenOver(error) : error;
  });
  const upgrade = request.headers.upgrade === oldHijack ? undefined : request.headers.upgrade;
  if (conversation === undefined) {
    socket.end(plainHead(200, { ...options.headers, 'Content-Length': '0' }));
    return;
  }
  options.watch(socket);
  await converse(client, conversation, {
    head: answerHead(upgrade, outputType(conversation.tty, head.apiMinor), options.headers),
    hold: needsHold(request.headers['user-agent']),
  });
}

async function cutBody(
  operation: Operation,
  request: IncomingMessage,
  socket: Duplex,
): Promise<{ readonly client: Duplex; readonly body: unknown }> {
  const length = bodyLengthOf(request.headers);
  if (operation.body?.kind !== 'json') {
    return { client: await skipBody(socket, length), body: undefined };
  }
  demandJson(request);
  const { text, client } = await takeJson(socket, length);
  return { client, body: decodeText(operation.body, text) };
}

/** Some clients offer `h2c` on every request: HTTP lets a server pass over it. */
function asOrdinary(http: Server, request: IncomingMessage, url: string, socket: Duplex): void {
  const line = `${request.method ?? 'GET'} ${url} HTTP/${request.httpVersion}`;
  socket.unshift(headWithoutUpgrade(line, request.rawHeaders));
  http.emit('connection', socket);
  socket.resume();
}

function plainHead(status: number, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries({ ...headers, Connection: 'close' }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`;
}

function refuse(
  socket: Duplex,
  refusal: Refusal,
  headers: Readonly<Record<string, string>>,
  asText: boolean,
): void {
  if (socket.destroyed || socket.writableEnded) return;
  const body = asText ? `${refusal.message}\r\n` : refusalBody(refusal);
  const head = plainHead(refusal.status, {
    ...headers,
    'Content-Type': asText ? rawStream : 'application/json',
    'Content-Length': String(Buffer.byteLength(body)),
  });
  socket.end(head + body);
  socket.resume();
}
