/** Attach over a websocket: the conversation is made ready, or refused, before the handshake. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { invalidParameter } from '../../api-spec/errors.js';
import { operations, type Operations } from '../../api-spec/operations/index.js';
import { setHeaders, type Surroundings } from './answer.js';
import { decodeHead, type Call, type Handler } from './call.js';
import { refusalOf, sendRefusal } from './errors.js';
import { converse } from './hijack.js';
import type { Conversation } from './conversation.js';
import { bytesOf } from './websocket.js';

type Described = Operations['ContainerAttachWebsocket'];

/** Adds the route; the websocket plugin has to be registered before. */
export function addWebsocketRoute(
  app: FastifyInstance,
  handler: Handler<Described>,
  surroundings: Surroundings,
): void {
  const ready = new WeakMap<FastifyRequest, Conversation>();
  const operation = operations.ContainerAttachWebsocket;
  app.route({
    method: operation.method,
    url: operation.url,
    preValidation: async (request, reply) => {
      try {
        surroundings.guard(request.raw);
        const head = decodeHead(operation, request.raw, request.params);
        if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
          throw invalidParameter('not websocket protocol');
        }
        // The operation has no body, and its own description decoded the rest.
        const call = { ...head, body: undefined } as Call<Described>;
        const conversation = await handler(call);
        if (conversation !== undefined) ready.set(request, conversation);
      } catch (error) {
        const refusal = refusalOf(error);
        surroundings.onRefusal(refusal, error);
        reply.hijack();
        setHeaders(reply.raw, surroundings.headers);
        sendRefusal(request.raw, reply.raw, refusal);
      }
    },
    handler: (_request, reply) => reply.code(400).send(),
    wsHandler: (socket, request) => {
      const conversation = ready.get(request);
      if (conversation === undefined) {
        socket.terminate();
        return;
      }
      converse(bytesOf(socket), conversation, { hold: false }).catch((error: unknown) => {
        surroundings.onRefusal(refusalOf(error), error);
      });
    },
  });
}
