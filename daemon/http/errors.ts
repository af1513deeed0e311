/** The one place where a thrown value becomes a status and a message. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiError, errorStatus } from '../../api-spec/errors.js';
import { ErrnoError } from '../../native/errno-error.js';
import { hasBody } from './guard.js';
import { limits } from './limits.js';

/** What the client is told; `bug` when nobody foresaw it: then its stack belongs in the log. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly bug: boolean;
}

/** Docker's answer to an unknown path or method. */
export const pageNotFound: Refusal = { status: 404, message: 'page not found', bug: false };

const noRoomCodes: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

/** Maps any thrown value; never throws. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof ApiError) {
    return { status: errorStatus[error.kind], message: error.message, bug: false };
  }
  if (error instanceof ErrnoError) {
    const status = noRoomCodes.has(error.code) ? errorStatus.NoSpace : errorStatus.System;
    return { status, message: error.message, bug: status === errorStatus.System };
  }
  if (error instanceof AggregateError) return refusalOfMany(error.errors);
  if (isFrameworkError(error)) {
    return { status: error.statusCode, message: error.message, bug: false };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { status: 500, message, bug: true };
}

/** A teardown that failed in several places: all of it is told, the first decides the status. */
function refusalOfMany(errors: readonly unknown[]): Refusal {
  const refusals = errors.map(refusalOf);
  return {
    status: refusals[0]?.status ?? 500,
    message: refusals.map((refusal) => refusal.message).join('; '),
    bug: refusals.some((refusal) => refusal.bug),
  };
}

/** What the framework refuses by itself: a malformed url, a name over its bound. */
function isFrameworkError(error: unknown): error is Error & { readonly statusCode: number } {
  return (
    error instanceof Error &&
    'statusCode' in error &&
    typeof error.statusCode === 'number' &&
    error.statusCode >= 400 &&
    error.statusCode < 500
  );
}

/** The body of an error, as Docker writes it. */
export const refusalBody = (refusal: Refusal): string =>
  `${JSON.stringify({ message: refusal.message })}\n`;

/** Sends the error if nothing was sent yet, else cuts the connection so that the client notices. */
export function sendRefusal(
  request: IncomingMessage,
  response: ServerResponse,
  refusal: Refusal,
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  // In answer to HEAD its length is told, and Node leaves it out.
  const body = refusalBody(refusal);
  // A client that is still sending is told to stop, and gets the time to read why.
  const isSending = hasBody(request) && !request.complete && !request.readableEnded;
  if (isSending) response.setHeader('Connection', 'close');
  response.writeHead(refusal.status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
  });
  if (!isSending) {
    response.end(body);
    return;
  }
  response.write(body);
  const end = () => {
    clearTimeout(timer);
    response.end();
  };
  const timer = setTimeout(end, limits.lingerMs);
  request.once('end', end).once('close', end).resume();
}
