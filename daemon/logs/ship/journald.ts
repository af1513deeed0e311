/** journald's native protocol: one datagram of fields for each line. */
import { openDatagrams } from '../../../native/datagrams.js';
import { extraAttributes } from '../attributes.js';
import type { LogOptions } from '../options.js';
import { tagOf, type TaggedContainer } from '../tag.js';
import { randomId } from '../../random-id.js';
import type { SpooledLine } from './line.js';
import type { OpenSender } from './sender.js';

/** Where journald listens. */
export const journalSocket = '/run/systemd/journal/socket';

const priorities = { stdout: '6', stderr: '3' } as const;

/** Values with a newline are told their length, all others end with their line. */
function field(name: string, value: string): Buffer {
  const bytes = Buffer.from(value);
  if (!bytes.includes(0x0a)) return Buffer.concat([Buffer.from(`${name}=`), bytes, newline]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([Buffer.from(`${name}\n`), length, bytes, newline]);
}

const newline = Buffer.from('\n');

/** journald takes capitals, digits and underscores, and only a capital may be first. */
function fieldName(key: string): string {
  return key.toUpperCase().replace(/[^A-Z0-9]/g, '_').replace(/^[^A-Z]+/, '');
}

/** What is the same for all lines of a container. */
export function journalContext(container: TaggedContainer, options: LogOptions): Buffer {
  const template = options['tag'] ?? '';
  const tag = tagOf(template === '' ? '{{.ID}}' : template, container);
  const fields = {
    CONTAINER_ID: container.id.slice(0, 12),
    CONTAINER_ID_FULL: container.id,
    CONTAINER_NAME: container.name,
    CONTAINER_TAG: tag,
    IMAGE_NAME: container.imageName,
    SYSLOG_IDENTIFIER: tag,
  };
  const extra = Object.entries(extraAttributes(options, container)).map(
    ([key, value]) => [fieldName(key), value] as const,
  );
  const all = [...Object.entries(fields), ...extra].filter(([name]) => name !== '');
  return Buffer.concat(all.map(([name, value]) => field(name, value)));
}

interface Partial {
  readonly id: string;
  ordinal: number;
}

/** Pieces of a long line are told to be one, as Docker does. */
export class JournalEncoder {
  readonly #partials = new Map<SpooledLine['stream'], Partial>();

  constructor(readonly context: Buffer) {}

  encode(line: SpooledLine): Buffer {
    return Buffer.concat([
      field('MESSAGE', line.text),
      field('PRIORITY', priorities[line.stream]),
      field('SYSLOG_TIMESTAMP', line.time),
      this.context,
      ...this.#partialFields(line),
    ]);
  }

  #partialFields({ stream, isPartial }: SpooledLine): readonly Buffer[] {
    const known = this.#partials.get(stream);
    if (known === undefined && !isPartial) return [];
    const partial = known ?? { id: randomId(), ordinal: 0 };
    partial.ordinal += 1;
    if (isPartial) this.#partials.set(stream, partial);
    else this.#partials.delete(stream);
    return [
      ...(isPartial ? [field('CONTAINER_PARTIAL_MESSAGE', 'true')] : []),
      field('CONTAINER_PARTIAL_ID', partial.id),
      field('CONTAINER_PARTIAL_ORDINAL', String(partial.ordinal)),
      field('CONTAINER_PARTIAL_LAST', String(!isPartial)),
    ];
  }
}

/** Ships to journald; `socket` is where it listens. */
export function toJournald(
  socket: string,
  container: TaggedContainer,
  options: LogOptions,
): OpenSender {
  const encoder = new JournalEncoder(journalContext(container, options));
  return () => {
    const datagrams = openDatagrams(socket);
    return Promise.resolve({
      send: async (lines) => {
        for (const line of lines) {
          await datagrams.send(encoder.encode(line), { asMemory: true });
        }
      },
      close: () => datagrams.close(),
    });
  };
}
