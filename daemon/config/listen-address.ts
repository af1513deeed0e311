import { isIP } from 'node:net';
import type { ListenAddress } from './config.js';
import { ConfigError } from './config-error.js';
import { parseInteger } from './units.js';

/** Bytes of sun_path without its NUL: Node cuts a longer path off without a word. */
const maxSocketPathBytes = 107;
/** Docker's port for TLS. */
const defaultPort = '2376';

function unixAddress(path: string): ListenAddress {
  if (!path.startsWith('/')) {
    throw new ConfigError(`invalid bind address (unix://${path}): the path must be absolute`);
  }
  if (Buffer.byteLength(path) > maxSocketPathBytes) {
    throw new ConfigError(
      `invalid bind address (unix://${path}): the path is longer than ${maxSocketPathBytes} bytes`,
    );
  }
  return { kind: 'unix', path };
}

function tcpAddress(word: string, authority: string): ListenAddress {
  if (authority.includes('/')) {
    throw new ConfigError(`invalid bind address (${word}): should not contain a path element`);
  }
  const [, inBrackets, name, digits] =
    /^(?:\[([^\]]+)\]|([^:]*))(?::(\d+))?$/.exec(authority) ?? [];
  const host = inBrackets ?? name;
  const port = parseInteger(digits ?? defaultPort);
  if (host === undefined || port === undefined || port > 65535) {
    throw new ConfigError(`invalid bind address (${word}): expected tcp://HOST:PORT`);
  }
  if (inBrackets !== undefined && isIP(host) !== 6) {
    throw new ConfigError(`invalid bind address (${word}): ${host} is not an IPv6 address`);
  }
  return { kind: 'tcp', host: host === '' ? '127.0.0.1' : host, port };
}

/** Reads a `-H` word: `unix:///path`, `/path`, `fd://`, `fd://NAME`, `tcp://host:port`. */
export function parseListenAddress(word: string): ListenAddress {
  const [scheme, rest] = word.includes('://') ? word.split('://', 2) : ['unix', word];
  switch (scheme) {
    case 'unix':
      return unixAddress(rest ?? '');
    case 'fd':
      return { kind: 'fd', name: rest === '' || rest === '*' ? undefined : rest };
    case 'tcp':
      return tcpAddress(word, rest ?? '');
    default:
      throw new ConfigError(`invalid bind address (${word}): unsupported proto ${scheme ?? ''}`);
  }
}
