/** GELF over UDP, compressed and in chunks, or over TCP. */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import { deflateSync, gzipSync } from 'node:zlib';
import { invalidParameter } from '../../../api-spec/errors.js';
import { extraAttributes } from '../attributes.js';
import type { LogOptions } from '../options.js';
import { tagOf, type TaggedContainer } from '../tag.js';
import { streamChannel, udpChannel, type NetworkAddress } from './channel.js';
import type { SpooledLine } from './line.js';
import type { OpenSender } from './sender.js';

/** All options that the driver takes besides those about attributes. */
export const gelfOptions = [
  'gelf-address', 'gelf-compression-level', 'gelf-compression-type', 'gelf-tcp-max-reconnect',
  'gelf-tcp-reconnect-delay',
];

const levels = { stdout: 6, stderr: 3 } as const;
const chunkMagic = Buffer.from([0x1e, 0x0f]);
/** What fits into a datagram on its way, less the head of a chunk. */
const chunkBytes = 1420 - 12;
const maxChunks = 128;
const defaultLevel = 1;

const wrong = (value: string, name: string): Error =>
  invalidParameter(`unknown value "${value}" for log opt "${name}" for gelf log driver`);

/** Throws `ApiError` 400 in Docker's words. */
export function gelfAddress(text = ''): NetworkAddress & { readonly kind: 'udp' | 'tcp' } {
  if (text === '') throw invalidParameter('gelf-address is a required parameter');
  const [, kind, bracketed, plain, port] =
    /^(udp|tcp):\/\/(?:\[([^\]]+)\]|([^:/]+)):(\d+)\/?$/.exec(text) ?? [];
  if (kind !== 'udp' && kind !== 'tcp') {
    throw invalidParameter('gelf: endpoint needs to be TCP or UDP');
  }
  return { kind, host: bracketed ?? plain ?? '', port: Number(port) };
}

/** Throws `ApiError` 400 for what is wrong. */
export function checkGelf(options: LogOptions): void {
  gelfAddress(options['gelf-address']);
  const type = options['gelf-compression-type'];
  if (type !== undefined && !['gzip', 'zlib', 'none'].includes(type)) {
    throw wrong(type, 'gelf-compression-type');
  }
  const level = options['gelf-compression-level'];
  if (level !== undefined && !/^(-1|\d)$/.test(level)) throw wrong(level, 'gelf-compression-level');
  for (const name of ['gelf-tcp-max-reconnect', 'gelf-tcp-reconnect-delay']) {
    const value = options[name];
    if (value !== undefined && !/^\d+$/.test(value)) {
      throw invalidParameter(`"${name}" must be a positive integer`);
    }
  }
}

/** One line as GELF 1.1 has it. */
export function gelfMessage(line: SpooledLine, about: Readonly<Record<string, unknown>>): Buffer {
  const timestamp = Date.parse(`${line.time.slice(0, 19)}Z`) / 1000;
  const fraction = Number(/\.\d+/.exec(line.time)?.[0] ?? 0);
  const message = {
    version: '1.1',
    host: hostname(),
    short_message: line.text,
    timestamp: Number((timestamp + fraction).toFixed(6)),
    level: levels[line.stream],
    ...about,
  };
  return Buffer.from(JSON.stringify(message));
}

function aboutOf(container: TaggedContainer, options: LogOptions): Record<string, unknown> {
  const template = options['tag'] ?? '';
  const extra = Object.entries(extraAttributes(options, container));
  return {
    _command: [container.path, ...container.args].join(' '),
    _container_id: container.id,
    _container_name: container.name,
    _image_id: container.imageId,
    _image_name: container.imageName,
    _tag: tagOf(template === '' ? '{{.ID}}' : template, container),
    ...Object.fromEntries(extra.map(([key, value]) => [`_${key}`, value])),
  };
}

/** Datagrams of one message; none for one that is too large for any receiver. */
export function gelfDatagrams(message: Buffer): readonly Buffer[] {
  if (message.length <= chunkBytes) return [message];
  const count = Math.ceil(message.length / chunkBytes);
  if (count > maxChunks) return [];
  const id = randomBytes(8);
  return Array.from({ length: count }, (_, at) =>
    Buffer.concat([
      chunkMagic, id, Buffer.from([at, count]),
      message.subarray(at * chunkBytes, (at + 1) * chunkBytes),
    ]),
  );
}

function packer(options: LogOptions): (message: Buffer) => Buffer {
  const level = Number(options['gelf-compression-level'] ?? defaultLevel);
  const type = options['gelf-compression-type'] ?? 'gzip';
  if (type === 'none') return (message) => message;
  const pack = type === 'zlib' ? deflateSync : gzipSync;
  return (message) => pack(message, { level });
}

/** Ships to a GELF receiver. */
export function toGelf(container: TaggedContainer, options: LogOptions): OpenSender {
  const address = gelfAddress(options['gelf-address']);
  const about = aboutOf(container, options);
  const pack = packer(options);
  const end = Buffer.from([0]);
  const encode = (line: SpooledLine): readonly Buffer[] => {
    const message = gelfMessage(line, about);
    return address.kind === 'tcp' ? [message, end] : gelfDatagrams(pack(message));
  };
  return async (signal) => {
    const channel =
      address.kind === 'udp'
        ? udpChannel(address)
        : await streamChannel(() => connect(address.port, address.host), signal);
    return {
      send: (lines) =>
        channel.send(lines.filter(({ text }) => text !== '').flatMap((line) => encode(line))),
      close: () => channel.close(),
    };
  };
}
