/** Says why a registry could not be reached in the words that Docker's users know. Pure. */
import { codeOf } from '../../native/errno-error.js';
import { RegistryError } from './registry-error.js';

const unknownAuthority =
  'tls: failed to verify certificate: x509: certificate signed by unknown authority';
const timedOut =
  'net/http: request canceled while waiting for connection ' +
  '(Client.Timeout exceeded while awaiting headers)';

const words: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: unknownAuthority,
  SELF_SIGNED_CERT_IN_CHAIN: unknownAuthority,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownAuthority,
  CERT_HAS_EXPIRED:
    'tls: failed to verify certificate: x509: certificate has expired or is not yet valid',
  UND_ERR_CONNECT_TIMEOUT: timedOut,
  UND_ERR_HEADERS_TIMEOUT: timedOut,
  UND_ERR_BODY_TIMEOUT:
    'context deadline exceeded (Client.Timeout or context cancellation while reading body)',
  ETIMEDOUT: timedOut,
  ECONNRESET: 'read: connection reset by peer',
  UND_ERR_SOCKET: 'EOF',
};

const connectWords: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENETUNREACH: 'network is unreachable',
  EHOSTUNREACH: 'no route to host',
};

const lookupWords: Readonly<Record<string, string>> = {
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'temporary failure in name resolution',
};

/** Codes by which a plain HTTP server shows itself to a TLS client. */
const plaintextCodes: readonly string[] = [
  'EPROTO',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_HTTP_REQUEST',
];

/** Turns what a request threw into a `RegistryError`; aborts and our own errors stay. */
export function networkError(
  error: unknown,
  method: string,
  url: URL,
  signal: AbortSignal,
): unknown {
  if (signal.aborted || error instanceof RegistryError || !(error instanceof Error)) return error;
  const verb = method.charAt(0) + method.slice(1).toLowerCase();
  const text = `${verb} "${url.href}": ${reason(error, url)}`;
  return new RegistryError(0, 'NETWORK', text, { cause: error });
}

/** Whether the other side spoke plain HTTP where TLS was tried. */
export function spokePlaintext(error: unknown): boolean {
  const cause = error instanceof RegistryError ? error.cause : error;
  return cause instanceof Error && plaintextCodes.includes(codeOf(cause));
}

function reason(error: Error, url: URL): string {
  const code = codeOf(error);
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  if (plaintextCodes.includes(code)) return 'http: server gave HTTP response to HTTPS client';
  const refused = connectWords[code];
  if (refused !== undefined)
    return `dial tcp ${addressOf(error, url)}:${port}: connect: ${refused}`;
  const unknown = lookupWords[code];
  if (unknown !== undefined) return `dial tcp: lookup ${url.hostname}: ${unknown}`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `tls: failed to verify certificate: x509: certificate is not valid for ${url.hostname}`;
  }
  return words[code] ?? error.message;
}

function addressOf(error: Error, url: URL): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const isNamed = first instanceof Error && 'address' in first;
  return isNamed && typeof first.address === 'string' ? first.address : url.hostname;
}
