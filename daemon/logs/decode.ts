/**
 * Lines of a json-file log turned into what a client is sent: stdcopy frames, or bare bytes for a
 * terminal. A line in the form that the shim and Docker write is decoded by hand, in one pass and
 * without an object per line; any other valid line goes through JSON.parse; torn ones are dropped.
 */
import type { CopyEnd } from './json-string.js';
import { copyJsonString } from './json-string.js';
import { formatLogTime, logTimeBytes, widenLogTime } from './log-time.js';

/** What of the log is wanted, and in which form. */
export interface DecodeOptions {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly timestamps: boolean;
  readonly details: boolean;
  readonly sinceNano?: bigint | undefined;
  readonly untilNano?: bigint | undefined;
  /** `stdcopy`: each line is a frame of Docker's; `raw`: bytes only. */
  readonly framing: 'stdcopy' | 'raw';
}

/** Bytes of a frame's header: stream, three zeros, length in big-endian. */
export const frameHeaderBytes = 8;

const newline = 0x0a;
const quote = 0x22;
const backslash = 0x5c;
const lowerN = 0x6e;
const slackBytes = 64;
const lead = Buffer.from('{"log":"');
const streamLead = Buffer.from(',"stream":"std');
const outTail = Buffer.from('out"');
const errTail = Buffer.from('err"');
const timeLead = Buffer.from(',"time":"');
const lineTail = Buffer.from('"}');

function matches(source: Buffer, at: number, wanted: Buffer): boolean {
  for (let index = 0; index < wanted.length; index += 1) {
    if (source[at + index] !== wanted[index]) return false;
  }
  return true;
}

/** Decodes chunk after chunk; keeps no state between them but its options. */
export class LogDecoder {
  /** A line was later than `until`: nothing more is wanted. */
  finished = false;
  readonly #options: DecodeOptions;
  readonly #since: Buffer | undefined;
  readonly #until: Buffer | undefined;
  readonly #header: number;
  readonly #prefix: number;
  readonly #needsTime: boolean;
  readonly #time = Buffer.alloc(logTimeBytes);
  readonly #end: CopyEnd = { read: 0, write: 0 };
  /** The first backslash at or behind the place that was last looked at. */
  #backslash = -1;

  constructor(options: DecodeOptions) {
    this.#options = options;
    const { sinceNano, untilNano } = options;
    this.#since = sinceNano === undefined ? undefined : formatLogTime(sinceNano);
    this.#until = untilNano === undefined ? undefined : formatLogTime(untilNano);
    this.#header = options.framing === 'stdcopy' ? frameHeaderBytes : 0;
    this.#prefix = this.#header + (options.timestamps ? logTimeBytes + 1 : 0);
    this.#needsTime = options.timestamps || this.#since !== undefined || this.#until !== undefined;
  }

  /** `lines` holds whole lines only, each with its newline. The result is the caller's to keep. */
  decode(lines: Buffer): Buffer {
    // Lines in the first half, frames in the second: copyWithin is the cheapest copy there is. A
    // line's JSON is always longer than its frame (8 + 31 bytes take less than keys and time); a
    // torn last line may have tried to begin its frame before that was seen, hence the slack.
    const space = Buffer.allocUnsafe(2 * lines.length + slackBytes);
    lines.copy(space);
    this.#backslash = -1;
    const parts: Buffer[] = [];
    let write = lines.length;
    let written = write;
    for (let at = 0; at < lines.length && !this.finished; ) {
      const next = this.#options.details ? -1 : this.#fast(space, at, write, lines.length);
      if (next >= 0) {
        at = next;
        write = this.#end.write;
        continue;
      }
      const end = lines.indexOf(newline, at) + 1;
      const slow = this.#slow(lines.toString('utf8', at, end - 1));
      if (slow !== undefined) {
        parts.push(space.subarray(written, write), slow);
        written = write;
      }
      at = end;
    }
    const last = space.subarray(written, write);
    return parts.length === 0 ? last : Buffer.concat([...parts, last]);
  }

  /** Position behind the line, or -1 when it is not of the usual form. `#end.write` is moved on. */
  #fast(space: Buffer, at: number, write: number, limit: number): number {
    if (!matches(space, at, lead)) return -1;
    const end = this.#end;
    end.read = at + lead.length;
    end.write = write + this.#prefix;
    if (!this.#copyText(space, limit)) return -1;
    if (!matches(space, end.read, streamLead)) return -1;
    const stream = end.read + streamLead.length;
    const isOut = matches(space, stream, outTail);
    if (!isOut && !matches(space, stream, errTail)) return -1;
    const read = this.#timeAt(space, stream + outTail.length);
    if (read < 0 || !matches(space, read, lineTail) || space[read + 2] !== newline) return -1;
    if (this.#wants(isOut)) this.#finish(space, write, isOut);
    else end.write = write;
    return read + lineTail.length + 1;
  }

  #copyText(space: Buffer, limit: number): boolean {
    return this.#copyPlain(space) || copyJsonString(space, space, this.#end, limit);
  }

  /**
   * Copies a string without escapes but for `\n` at its end, as nearly all are; else does nothing.
   */
  #copyPlain(space: Buffer): boolean {
    const { read, write } = this.#end;
    const close = space.indexOf(quote, read);
    if (this.#backslash < read) {
      const found = space.indexOf(backslash, read);
      this.#backslash = found < 0 ? space.length : found;
    }
    const endsLine = this.#backslash === close - 2 && space[close - 1] === lowerN;
    if (close < 0 || (this.#backslash < close && !endsLine)) return false;
    const end = endsLine ? close - 2 : close;
    space.copyWithin(write, read, end);
    this.#end.write += end - read;
    this.#end.read = close + 1;
    if (!endsLine) return true;
    space[this.#end.write] = newline;
    this.#end.write += 1;
    return true;
  }

  /**
   * Takes the time that follows at `at`, behind attributes if there are any; where it ends, or -1.
   */
  #timeAt(space: Buffer, at: number): number {
    let read = at;
    if (!matches(space, read, timeLead)) {
      read = space.indexOf(timeLead, at);
      if (read < 0 || read > space.indexOf(newline, at)) return -1;
    }
    read += timeLead.length;
    return this.#needsTime ? widenLogTime(space, read, this.#time, 0) : this.#skipTime(space, read);
  }

  #skipTime(source: Buffer, at: number): number {
    // A time without its fraction has 20 bytes, one with all of it 30; `"` ends it.
    for (let read = at + 19; read <= at + logTimeBytes; read += 1) {
      if (source[read] === quote) return read;
    }
    return -1;
  }

  /** Whether the line whose time is in `#time` is asked for. */
  #wants(isOut: boolean): boolean {
    if (this.#until !== undefined && this.#time.compare(this.#until) > 0) {
      this.finished = true;
      return false;
    }
    if (this.#since !== undefined && this.#time.compare(this.#since) < 0) return false;
    return isOut ? this.#options.stdout : this.#options.stderr;
  }

  /** Fills in what stands before the line's bytes. */
  #finish(target: Buffer, write: number, isOut: boolean): void {
    if (this.#header > 0) {
      const length = this.#end.write - write - frameHeaderBytes;
      target.writeUInt32BE(isOut ? 0x01000000 : 0x02000000, write);
      target.writeUInt32BE(length, write + 4);
    }
    if (!this.#options.timestamps) return;
    this.#time.copy(target, write + this.#header);
    target[write + this.#prefix - 1] = 0x20;
  }

  #slow(text: string): Buffer | undefined {
    const line = parseLine(text);
    if (line === undefined) return undefined;
    const time = Buffer.from(line.time, 'latin1');
    const valid = widenLogTime(time, 0, this.#time, 0) >= 0;
    const isOut = line.stream !== 'stderr';
    if ((this.#needsTime && !valid) || !this.#wants(isOut)) return undefined;
    const { timestamps, details } = this.#options;
    const stamp = timestamps ? `${this.#time.toString('latin1')} ` : '';
    const about = details ? `${detailsOf(line.attrs)} ` : '';
    const body = Buffer.from(`${stamp}${about}${line.log}`);
    if (this.#header === 0) return body;
    const header = Buffer.alloc(frameHeaderBytes);
    header[0] = isOut ? 1 : 2;
    header.writeUInt32BE(body.length, 4);
    return Buffer.concat([header, body]);
  }
}

interface Line {
  readonly log: string;
  readonly stream: string;
  readonly time: string;
  readonly attrs: unknown;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A line that was cut off by a full disk or a power cut; the caller drops or mends it.
    return undefined;
  }
}

function parseLine(text: string): Line | undefined {
  let json = parseJson(text);
  const restart = text.lastIndexOf('{"log":"');
  // A torn line has no newline of its own: the next one begins behind its last byte.
  if (json === undefined && restart > 0) json = parseJson(text.slice(restart));
  if (typeof json !== 'object' || json === null) return undefined;
  const line: { log?: unknown; stream?: unknown; time?: unknown; attrs?: unknown } = json;
  const { log, stream, time, attrs } = line;
  if (typeof log !== 'string' || typeof time !== 'string') return undefined;
  return { log, stream: typeof stream === 'string' ? stream : 'stdout', time, attrs };
}

/**
 * `key=value,key=value` in the order of the keys, each percent-encoded as Go's QueryEscape does.
 */
function detailsOf(attrs: unknown): string {
  if (typeof attrs !== 'object' || attrs === null) return '';
  return Object.entries(attrs)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${queryEscape(key)}=${queryEscape(String(value))}`)
    .join(',');
}

function queryEscape(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}
