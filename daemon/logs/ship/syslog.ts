/** syslog over UDP, TCP (with TLS or without) and unix sockets, in the formats that Docker has. */
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import { connect as connectTls } from 'node:tls';
import { openDatagrams } from '../../../native/datagrams.js';
import type { LogOptions } from '../options.js';
import { tagOf, type TaggedContainer } from '../tag.js';
import { streamChannel, udpChannel, type Channel } from './channel.js';
import type { SpooledLine } from './line.js';
import type { OpenSender } from './sender.js';
import { facilityNumber, syslogAddress, type SyslogAddress } from './syslog-options.js';

const severities = { stdout: 6, stderr: 3 } as const;
const localSockets = ['/dev/log', '/var/run/syslog', '/var/run/log'];

const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const two = (value: number, filler = '0'): string => String(value).padStart(2, filler);

/** `Jan _2 15:04:05`, in the host's own zone: that is syslog's way. */
function stamp(time: string): string {
  const date = new Date(time);
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map((n) => two(n));
  return `${months[date.getMonth()] ?? ''} ${two(date.getDate(), ' ')} ${clock.join(':')}`;
}

const seconds = (time: string): string => `${time.slice(0, 19)}Z`;
const micros = (time: string): string => {
  const fraction = /\.(\d+)/.exec(time)?.[1] ?? '';
  return `${time.slice(0, 19)}.${fraction.slice(0, 6).padEnd(6, '0')}Z`;
};

/** What stands in front of a line. */
export interface SyslogHead {
  readonly facility: number;
  readonly tag: string;
  readonly hostname: string;
  readonly pid: number;
}

type Formatter = (line: SpooledLine, head: SyslogHead, priority: number) => string;

const rfc5424 =
  (timeOf: (time: string) => string): Formatter =>
  ({ text, time }, { hostname: host, tag, pid }, priority) =>
    `<${priority}>1 ${timeOf(time)} ${host} ${tag} ${pid} ${tag} - ${text}`;

const formatters: Readonly<Record<string, Formatter>> = {
  '': ({ text, time }, { tag, pid }, priority) =>
    `<${priority}>${stamp(time)} ${tag}[${pid}]: ${text}`,
  'rfc3164': ({ text, time }, { hostname: host, tag, pid }, priority) =>
    `<${priority}>${stamp(time)} ${host} ${tag}[${pid}]: ${text}`,
  'rfc5424': rfc5424(seconds),
  'rfc5424micro': rfc5424(micros),
};

/** One message, with the newline that ends it. */
export function syslogMessage(format: string, line: SpooledLine, head: SyslogHead): Buffer {
  const priority = head.facility * 8 + severities[line.stream];
  return Buffer.from(`${formatters[format]?.(line, head, priority) ?? ''}\n`);
}

/** Ships to a syslog server, in the format and to the address that the options name. */
export function toSyslog(container: TaggedContainer, options: LogOptions): OpenSender {
  const template = options['tag'] ?? '';
  const address = syslogAddress(options['syslog-address']);
  const format = options['syslog-format'] ?? '';
  const head: SyslogHead = {
    facility: facilityNumber(options['syslog-facility']),
    tag: tagOf(template === '' ? '{{.ID}}' : template, container),
    hostname: hostname(),
    pid: process.pid,
  };
  // RFC 5425: over TLS each message is told its length.
  const isCounted = address.kind === 'tls' && format.startsWith('rfc5424');
  const encode = (line: SpooledLine): Buffer => {
    const message = syslogMessage(format, line, head);
    return isCounted ? Buffer.concat([Buffer.from(`${message.length} `), message]) : message;
  };
  return async (signal) => {
    const channel = await openChannel(address, options, signal);
    return {
      send: async (lines) => channel.send(lines.filter(({ text }) => text !== '').map(encode)),
      close: () => channel.close(),
    };
  };
}

function openChannel(
  address: SyslogAddress,
  options: LogOptions,
  signal: AbortSignal,
): Promise<Channel> {
  switch (address.kind) {
    case 'udp':
      return Promise.resolve(udpChannel(address));
    case 'datagram':
      return Promise.resolve(datagramChannel(address.path));
    case 'local':
      return openLocal(signal);
    case 'stream':
      return streamChannel(() => connect(address.path), signal);
    case 'tcp':
      return streamChannel(() => connect(address.port, address.host), signal);
    case 'tls':
      return streamChannel(() => connectTls(tlsOptions(address, options)), signal, 'secureConnect');
  }
}

/** Whatever this host has, as a datagram or a stream socket. */
function openLocal(signal: AbortSignal): Promise<Channel> {
  const path = localSockets.find((each) => existsSync(each));
  if (path === undefined) return Promise.reject(new Error('Unix syslog delivery error'));
  try {
    return Promise.resolve(datagramChannel(path));
  } catch {
    // EPROTOTYPE: it is a stream socket.
    return streamChannel(() => connect(path), signal);
  }
}

function datagramChannel(path: string): Channel {
  const datagrams = openDatagrams(path);
  return {
    send: async (messages) => {
      for (const message of messages) await datagrams.send(message, { asMemory: false });
    },
    close: () => datagrams.close(),
  };
}

function tlsOptions(
  { host, port }: { readonly host: string; readonly port: number },
  options: LogOptions,
) {
  const file = (name: string): Buffer | undefined => {
    const path = options[`syslog-tls-${name}`] ?? '';
    return path === '' ? undefined : readFileSync(path);
  };
  const [ca, cert, key] = [file('ca-cert'), file('cert'), file('key')];
  return {
    host,
    port,
    // That it is there counts, not what it says.
    rejectUnauthorized: options['syslog-tls-skip-verify'] === undefined,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}
