/** Lines of a spool as shippers take them. */
const newline = 0x0a;

/** One line, or a piece of one that was too long. */
export interface SpooledLine {
  readonly text: string;
  readonly stream: 'stdout' | 'stderr';
  /** RFC 3339 with a fraction, in UTC. */
  readonly time: string;
  /** It goes on in the next line of the same stream. */
  readonly isPartial: boolean;
}

/** The lines of a buffer; damaged ones are passed over. */
export function spooledLines(bytes: Buffer): readonly SpooledLine[] {
  const lines: SpooledLine[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(newline, at);
    const line = lineOf(bytes.toString('utf8', at, end < 0 ? bytes.length : end));
    if (line !== undefined) lines.push(line);
    at = end < 0 ? bytes.length : end + 1;
  }
  return lines;
}

function lineOf(json: string): SpooledLine | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    // Cut off by a full disk or a power cut: nothing of it can be told.
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { log, stream, time }: { log?: unknown; stream?: unknown; time?: unknown } = parsed;
  if (typeof log !== 'string' || typeof time !== 'string') return undefined;
  const isPartial = !log.endsWith('\n');
  return {
    text: isPartial ? log : log.slice(0, -1),
    stream: stream === 'stderr' ? 'stderr' : 'stdout',
    time,
    isPartial,
  };
}
