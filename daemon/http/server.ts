/** The HTTP server of the engine: listeners → connections → requests → handlers. */
import websocketPlugin from '@fastify/websocket';
import fastify, { type FastifyInstance } from 'fastify';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createNetServer, type Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import type { Operation } from '../../api-spec/operation.js';
import { operations, type OperationId } from '../../api-spec/operations/index.js';
import { openapiText } from '../../api-spec/openapi.js';
import { maxMinor, versionText } from '../../api-spec/versions.js';
import { hasCode } from '../../native/errno-error.js';
import { answer, setHeaders, type AnyHandler, type Surroundings } from './answer.js';
import type { Handlers } from './call.js';
import { pageNotFound, refusalOf, sendRefusal } from './errors.js';
import { guard, unsupportedType } from './guard.js';
import { HangupWatch, type HungUp } from './hangup.js';
import { limits } from './limits.js';
import type { Services } from './needs.js';
import { allRoutes } from './routes/index.js';
import { accept } from './transport.js';
import { onUpgrade } from './upgrade.js';
import { rewriteUrl } from './versioning.js';
import { addWebsocketRoute } from './websocket-route.js';

/** What the server has to know besides its services. */
export interface HttpOptions {
  /** For the `Server` header: a version of at least 20.10, as clients expect of Docker. */
  readonly serverVersion: string;
  /** Names, besides localhost and addresses, by which TCP clients may call this engine. */
  readonly allowedHosts: readonly string[];
  /** Told of what nobody foresaw, with its stack. */
  readonly onBug: (error: unknown) => void;
  /** Looks which sockets were closed at their other end; without it only a write tells. */
  readonly hungUp?: HungUp;
  /** Takes connections that begin with HTTP/2. */
  readonly http2?: (socket: Socket) => void;
}

/** The server; nothing listens until it is told to. */
export interface HttpServer {
  /**
   * A server to be bound by the caller to an address of its own; any number of them. With `tls`
   * its connections are TLS; without, connections over TCP are cut.
   */
  makeServer(transport: { readonly tls: TlsOptions | undefined }): NetServer;
  /** Takes no more connections and cuts those that are open. */
  close(): Promise<void>;
  /** The framework, for tests that need no socket. */
  readonly app: FastifyInstance;
}

/** Builds the server over the services. */
export async function createHttpServer(
  services: Services,
  options: HttpOptions,
): Promise<HttpServer> {
  const surroundings = surroundingsOf(options);
  const { app, http } = makeApp(surroundings);
  const handlers = allRoutes(services);
  // In a scope of its own, so that its hooks cost only the one route that needs them.
  await app.register(async (scope) => {
    await scope.register(websocketPlugin, { options: { maxPayload: limits.jsonBodyBytes } });
    addWebsocketRoute(scope, handlers.ContainerAttachWebsocket, surroundings);
  });
  for (const id of operationIds) addRoute(app, id, handlers, surroundings);
  app.get('/openapi.json', (_request, reply) => reply.type('application/json').send(openapiText()));
  app.options('*', (_request, reply) => reply.code(200).headers(surroundings.headers).send());
  await app.ready();
  takeUpgrades(http, { handlers, hungUp: options.hungUp }, surroundings);
  // The list of connections, by which Node enforces its timeouts, is made when a server listens.
  http.emit('listening');
  return { app, ...connections(app, http, options) };
}

// The keys of a record that nobody extends are its operationIds.
const operationIds = Object.keys(operations) as OperationId[];

function surroundingsOf(options: HttpOptions): Surroundings {
  const allowedHosts = new Set(options.allowedHosts.map((host) => host.toLowerCase()));
  return {
    headers: {
      'Api-Version': versionText(maxMinor),
      'Docker-Experimental': 'false',
      Ostype: 'linux',
      Server: `Docker/${options.serverVersion} (linux)`,
    },
    guard: (request) => {
      guard(request, allowedHosts);
    },
    onRefusal: (refusal, error) => {
      if (refusal.bug) options.onBug(error);
    },
  };
}

function makeApp(surroundings: Surroundings): { app: FastifyInstance; http: Server } {
  let http: Server | undefined;
  const refuse = (request: IncomingMessage, response: ServerResponse, error?: unknown) => {
    // Docker's router answers an unknown path by itself, and does not say who it is.
    if (error !== undefined) setHeaders(response, surroundings.headers);
    sendRefusal(request, response, error === undefined ? pageNotFound : refusalOf(error));
  };
  const compilersFactory = { buildValidator: noCompiler, buildSerializer: noCompiler };
  const app = fastify({
    serverFactory: (handler) => (http = makeHttp(handler)),
    rewriteUrl,
    routerOptions: { maxParamLength: limits.paramLength },
    exposeHeadRoutes: false,
    schemaController: { compilersFactory },
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => {
      reply.hijack();
      refuse(request.raw, reply.raw, error);
    },
  });
  app.setNotFoundHandler((request, reply) => {
    reply.hijack();
    refuse(request.raw, reply.raw);
  });
  app.setErrorHandler((error, request, reply) => {
    reply.hijack();
    refuse(request.raw, reply.raw, isMediaType(error) ? unsupportedType(request.raw) : error);
  });
  // Bodies are read by whoever needs them: as JSON within a bound, or as a stream without one.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => {
    done(null);
  });
  if (http === undefined) throw new Error('fastify made no server');
  return { app, http };
}

/** No route has a schema of the framework's. Its compilers are large, and are not even loaded. */
const noCompiler = (): never => {
  throw new Error('a route has a schema of the framework');
};

/** A type that cannot even be parsed, which the framework refuses before we see it. */
const isMediaType = (error: unknown): boolean =>
  hasCode(error, 'FST_ERR_CTP_INVALID_MEDIA_TYPE');

function makeHttp(handler: (request: IncomingMessage, response: ServerResponse) => void): Server {
  return createServer(
    {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: limits.headersTimeoutMs / 2,
      // A load or a build may send for hours.
      requestTimeout: 0,
    },
    handler,
  );
}

function addRoute(
  app: FastifyInstance,
  id: OperationId,
  handlers: Handlers,
  surroundings: Surroundings,
): void {
  if (id === 'ContainerAttachWebsocket') return;
  const operation: Operation = operations[id];
  // Each handler is called with what its own operation's schemas described.
  const route = { operation, handler: handlers[id] as AnyHandler };
  app.route({
    method: operation.method,
    url: operation.url,
    handler: ({ raw: request, params }, reply) => {
      reply.hijack();
      void answer(route, { request, response: reply.raw, params }, surroundings);
    },
  });
}

/** Leaves one listener for upgrades, which hands the websocket plugin what is its own. */
function takeUpgrades(
  http: Server,
  parts: { readonly handlers: Handlers; readonly hungUp: HungUp | undefined },
  surroundings: Surroundings,
): void {
  const { handlers, hungUp } = parts;
  const hangups = hungUp === undefined ? undefined : new HangupWatch(hungUp);
  const watch = (socket: Duplex): void => hangups?.add(socket);
  // The plugin's is the only one so far, and takes what Node gives.
  const plugins = http.listeners('upgrade') as ((
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ) => void)[];
  http.removeAllListeners('upgrade');
  const websocket = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    for (const plugin of plugins) plugin(request, socket, head);
  };
  http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    onUpgrade({ http, handlers, websocket, watch, ...surroundings }, request, socket, head);
  });
}

function connections(
  app: FastifyInstance,
  http: Server,
  options: HttpOptions,
): Omit<HttpServer, 'app'> {
  const open = new Set<Socket>();
  const servers = new Set<NetServer>();
  const onConnection = (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    accept(socket, { http, ...(options.http2 !== undefined && { http2: options.http2 }) });
  };
  return {
    makeServer: ({ tls }) => {
      const server = tls === undefined ? makePlain(onConnection) : makeTls(tls, onConnection);
      server.maxConnections = limits.connections;
      servers.add(server);
      return server;
    },
    close: async () => {
      for (const server of servers) server.close();
      for (const socket of open) socket.destroy();
      // Ends the timer that `listening` began.
      http.close();
      await app.close();
    },
  };
}

function makePlain(onConnection: (socket: Socket) => void): NetServer {
  return createNetServer({ allowHalfOpen: true }, (socket) => {
    // An inherited descriptor may be a TCP socket, and TCP is only served with mutual TLS.
    if (socket.remoteAddress === undefined) onConnection(socket);
    else socket.destroy();
  });
}

function makeTls(tls: TlsOptions, onConnection: (socket: Socket) => void): NetServer {
  const server = createTlsServer(
    {
      ...tls,
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: ['http/1.1'],
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      handshakeTimeout: limits.headersTimeoutMs,
    },
    onConnection,
  );
  // A handshake that fails is the peer's affair: TLS itself tells it.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return server;
}
