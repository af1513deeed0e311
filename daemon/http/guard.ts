/**
 * What every request has to pass on every listener: pages in a browser must not be able to drive
 * the engine, neither by a form, nor by another origin, nor by a name that they rebind to us.
 */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { forbidden, invalidParameter } from '../../api-spec/errors.js';

/** Throws `ApiError` 403 when the request was made by a foreign page, or for another host. */
export function guard(request: IncomingMessage, allowedHosts: ReadonlySet<string>): void {
  const { host, origin, 'sec-fetch-site': site } = request.headers;
  // Only a TCP peer has an address: a browser cannot open a unix socket, and clients send any
  // Host there.
  if (request.socket.remoteAddress !== undefined && !isOurs(host, allowedHosts)) {
    throw forbidden(`Host not allowed: ${host ?? ''}`);
  }
  if (site !== undefined) {
    // Scripts cannot set it: where a browser says same-origin, it is.
    if (site !== 'same-origin' && site !== 'none') throw forbidden('cross-site request refused');
    return;
  }
  if (origin !== undefined && !sameHost(origin, host)) {
    throw forbidden(`Origin not allowed: ${origin}`);
  }
}

function isOurs(host: string | undefined, allowedHosts: ReadonlySet<string>): boolean {
  if (host === undefined) return false;
  const name = host.replace(/:\d+$/, '').toLowerCase();
  const bare = name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name;
  return bare === 'localhost' || isIP(bare) !== 0 || allowedHosts.has(bare);
}

const sameHost = (origin: string, host: string | undefined): boolean =>
  host !== undefined && origin.toLowerCase().replace(/^https?:\/\//, '') === host.toLowerCase();

/**
 * Throws `ApiError` 400, in Docker's words, for a body that is not declared as JSON: a form post
 * from a page cannot declare that.
 */
export function demandJson(request: IncomingMessage): void {
  const type = request.headers['content-type'];
  if (type === undefined && !hasBody(request)) return;
  const mediaType = (type ?? '').split(';')[0]?.trim().toLowerCase();
  if (mediaType !== 'application/json') {
    throw unsupportedType(request);
  }
}

/** Whether the head announces a body. */
export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/** Docker's words for a body that is declared as something else. */
export function unsupportedType(request: IncomingMessage): Error {
  const type = request.headers['content-type'] ?? '';
  return invalidParameter(
    (type.split(';')[0] ?? '').trim() === ''
      ? `malformed Content-Type header (${type}): mime: no media type`
      : `unsupported Content-Type header (${type}): must be 'application/json'`,
  );
}
