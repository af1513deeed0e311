/**
 * From a request to a conversation over its connection: the answer's head is written, and both
 * ends are closed in the right order.
 */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import { multiplexedStream, rawStream } from '../../api-spec/operations/index.js';
import { limits } from './limits.js';
import type { Conversation, Line } from './conversation.js';
import { fdOf } from './hangup.js';

/** Which media type a conversation's output has: frames are told apart from API 1.42 on. */
export const outputType = (tty: boolean, apiMinor: number): string =>
  !tty && apiMinor >= 42 ? multiplexedStream : rawStream;

/** The head of the answer: 101 where an upgrade was asked for, else 200 without any length. */
export function answerHead(
  upgrade: string | undefined,
  contentType: string,
  headers: Readonly<Record<string, string>>,
): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const status =
    upgrade === undefined
      ? // Frames or not: only an upgrade is told which.
        `HTTP/1.1 200 OK\r\nContent-Type: ${rawStream}\r\nConnection: close\r\n`
      : `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${contentType}\r\n` +
        `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n`;
  return `${status}${lines.join('')}\r\n`;
}

/**
 * docker-py reads the socket beneath a buffered reader, which swallows what arrives together with
 * the head. Only it has to wait: others see their first byte at once.
 */
export const needsHold = (userAgent: string | undefined): boolean =>
  userAgent !== undefined && /docker-sdk-python|docker-py/i.test(userAgent);

/** Writes `head`, speaks, and ends the client's side; resolves when the conversation is over. */
export async function converse(
  client: Duplex,
  conversation: Conversation,
  options: { readonly head?: string; readonly hold: boolean },
): Promise<void> {
  const gone = new AbortController();
  const onGone = () => {
    gone.abort();
  };
  // After `error` comes `close`; without a listener it would take the daemon down.
  client.on('error', onGone).once('close', onGone);
  if (client.destroyed) {
    conversation.abandon();
    return;
  }
  const line = lineOf(client);
  try {
    if (options.head !== undefined) client.write(options.head);
    if (options.hold) await sleep(limits.dockerPyHoldMs);
    await conversation.run(client, gone.signal, line);
  } finally {
    // Nobody listens to the signal any more: an abort costs as much as a request.
    client.off('close', onGone);
    // To end it would end it for who may still have output for it.
    if (line?.isGiven === true) client.destroy();
    else close(client);
  }
}

/** Of a socket without any TLS, and with nothing in between. */
function lineOf(client: Duplex): (Line & { readonly isGiven: boolean }) | undefined {
  if (!(client instanceof Socket) || client instanceof TLSSocket) return undefined;
  let isGiven = false;
  return {
    get fd() {
      return client.writableLength > 0 ? undefined : fdOf(client);
    },
    give: () => {
      isGiven = true;
    },
    get isGiven() {
      return isGiven;
    },
  };
}

/** What was written still goes out; a client that never closes its side keeps nothing open. */
function close(client: Duplex): void {
  if (client.destroyed) return;
  const timer = setTimeout(() => client.destroy(), limits.lingerMs);
  client.once('close', () => {
    clearTimeout(timer);
  });
  client.once('finish', () => timer.refresh());
  client.end();
  client.resume();
}
