/** Events as lines of JSON, in the form that the client wants. */
import type { TimedEvent } from './needs.js';

/** How events are separated, and what that is called. */
export interface EventsFormat {
  readonly contentType: string;
  /** Goes before each event. */
  readonly prefix: string;
}

const recordSeparator = '\u001e';

/** Chosen by `Accept`; plain JSON lines under the old name unless another is asked for. */
export function eventsFormat(accept: string | undefined): EventsFormat {
  const types = (accept ?? '').split(',').map((type) => type.split(';')[0]?.trim());
  if (types.includes('application/json-seq')) {
    return { contentType: 'application/json-seq', prefix: recordSeparator };
  }
  const lines = ['application/jsonl', 'application/x-ndjson'].find((type) => types.includes(type));
  return { contentType: lines ?? 'application/json', prefix: '' };
}

/** One line an event. */
export async function* encodeEvents(
  events: AsyncIterable<TimedEvent>,
  format: EventsFormat,
): AsyncGenerator<string> {
  for await (const event of events) yield `${format.prefix}${encodeEvent(event)}\n`;
}

const nanosPerSecond = 1_000_000_000n;

/** Nanoseconds are beyond what a number holds exactly: the digits are written as they are. */
export function encodeEvent({ timeNano, ...event }: TimedEvent): string {
  const head = JSON.stringify({ ...legacyFields(event), ...event }).slice(0, -1);
  const seconds = String(timeNano / nanosPerSecond);
  return `${head},"time":${seconds},"timeNano":${String(timeNano)}}`;
}

/** Fields from before `Actor`; old command lines panic without them. */
function legacyFields(event: Omit<TimedEvent, 'timeNano'>): object {
  const { Type, Action, Actor } = event;
  if (Type === 'container') {
    return { status: Action, id: Actor.ID, from: Actor.Attributes['image'] ?? '' };
  }
  return Type === 'image' ? { status: Action, id: Actor.ID } : {};
}
