/** Bytes of a time with all nine digits: `2006-01-02T15:04:05.000000000Z`. */
export const logTimeBytes = 30;

const dot = 0x2e;
const zero = 0x30;
const upperZ = 0x5a;
/** `2006-01-02T15:04:05`. */
const secondsBytes = 19;
const nanosPerSecond = 1_000_000_000n;

/** Nanoseconds since the epoch in the form that lines are compared by. */
export function formatLogTime(nanos: bigint): Buffer {
  // Outside the years 0000 to 9999 the text would not compare as the time does.
  const seconds = Number(nanos / nanosPerSecond);
  const bounded = Math.min(Math.max(seconds, 0), 253_402_300_799);
  const date = new Date(bounded * 1000).toISOString().slice(0, secondsBytes);
  const fraction =
    bounded === seconds ? String(nanos % nanosPerSecond).padStart(9, '0') : '000000000';
  return Buffer.from(`${date}.${fraction}Z`, 'latin1');
}

/**
 * Writes the time that stands at `from` (UTC, zeros at its end cut off, as Go does) with all nine
 * digits to `target`. Returns the position behind its `Z`, or -1 when there is no such time.
 */
export function widenLogTime(source: Buffer, from: number, target: Buffer, at: number): number {
  for (let index = 0; index < secondsBytes; index += 1) {
    target[at + index] = source[from + index] ?? 0;
  }
  let read = from + secondsBytes;
  let write = at + secondsBytes;
  const end = at + logTimeBytes - 1;
  target[write] = dot;
  write += 1;
  if (source[read] === dot) {
    read += 1;
    while (write < end && isDigit(source[read])) {
      target[write] = source[read] ?? zero;
      write += 1;
      read += 1;
    }
  }
  while (write < end) {
    target[write] = zero;
    write += 1;
  }
  target[write] = upperZ;
  return source[read] === upperZ ? read + 1 : -1;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= zero && byte <= zero + 9;
}
