/** The options of the syslog driver, and what is wrong with them in Docker's words. */
import { existsSync } from 'node:fs';
import { invalidParameter } from '../../../api-spec/errors.js';

/** Where a syslog server listens. */
export type SyslogAddress =
  | { readonly kind: 'local' }
  | { readonly kind: 'stream' | 'datagram'; readonly path: string }
  | { readonly kind: 'udp' | 'tcp' | 'tls'; readonly host: string; readonly port: number };

const defaultPort = 514;
/** sun_path's; Node cuts longer ones without a word. */
const maxSocketPathBytes = 107;
const networks: Readonly<Record<string, 'udp' | 'tcp' | 'tls'>> = {
  'udp:': 'udp', 'tcp:': 'tcp', 'tcp+tls:': 'tls',
};
const facilities = [
  'kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv',
  'ftp',
];
const firstLocal = 16;
const daemonFacility = 3;

/** All options that the driver takes besides those about attributes. */
export const syslogOptions = [
  'syslog-address', 'syslog-facility', 'syslog-format', 'syslog-tls-ca-cert', 'syslog-tls-cert',
  'syslog-tls-key', 'syslog-tls-skip-verify',
];

/** Throws `ApiError` 400 for an address of no kind that there is. */
export function syslogAddress(text = ''): SyslogAddress {
  if (text === '') return { kind: 'local' };
  const [, scheme = '', rest = ''] = /^([a-z+]+:)?(?:\/\/)?(.*)$/i.exec(text) ?? [];
  if (scheme === 'unix:' || scheme === 'unixgram:') {
    return { kind: scheme === 'unix:' ? 'stream' : 'datagram', path: rest };
  }
  const kind = networks[scheme];
  if (kind === undefined) {
    throw invalidParameter(`unsupported scheme: '${scheme.replace(':', '')}'`);
  }
  const [, bracketed, plain = '', port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(rest) ?? [];
  const host = bracketed ?? plain;
  return {
    kind,
    host: host === '' ? '127.0.0.1' : host,
    port: port === undefined ? defaultPort : Number(port),
  };
}

/** By name or number; throws `ApiError` 400. */
export function facilityNumber(text = ''): number {
  if (text === '') return daemonFacility;
  const named = facilities.indexOf(text);
  const local = /^local([0-7])$/.exec(text)?.[1];
  if (named >= 0) return named;
  if (local !== undefined) return firstLocal + Number(local);
  if (/^\d{1,2}$/.test(text) && Number(text) <= 23) return Number(text);
  throw invalidParameter('invalid syslog facility');
}

/** Throws `ApiError` 400 for what is wrong. */
export function checkSyslog(options: Readonly<Record<string, string>>): void {
  const address = syslogAddress(options['syslog-address']);
  if ('path' in address && !existsSync(address.path)) {
    throw invalidParameter(`stat ${address.path}: no such file or directory`);
  }
  if ('path' in address && Buffer.byteLength(address.path) > maxSocketPathBytes) {
    throw invalidParameter(`dial unix ${address.path}: connect: invalid argument`);
  }
  facilityNumber(options['syslog-facility']);
  if (!['', 'rfc3164', 'rfc5424', 'rfc5424micro'].includes(options['syslog-format'] ?? '')) {
    throw invalidParameter('Invalid syslog format');
  }
}
