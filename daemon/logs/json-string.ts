/** A JSON string's contents as UTF-8, copied from one buffer into another in one pass. */

const quote = 0x22;
const backslash = 0x5c;
const newline = 0x0a;

const plainEscapes = new Map([
  ['n', 0x0a], ['t', 0x09], ['r', 0x0d], ['b', 0x08], ['f', 0x0c], ['"', quote], ['\\', backslash],
  ['/', 0x2f],
].map(([letter, byte]) => [String(letter).charCodeAt(0), Number(byte)]));

const lowerU = 0x75;
const escapeBytes = 6;
const replacement = 0xfffd;

/** Where a copy ended: both are positions behind the last byte. */
export interface CopyEnd {
  read: number;
  write: number;
}

function codeUnit(source: Buffer, at: number): number {
  if (source[at] !== backslash || source[at + 1] !== lowerU) return -1;
  const text = source.toString('latin1', at + 2, at + escapeBytes);
  return /^[0-9a-fA-F]{4}$/.test(text) ? Number.parseInt(text, 16) : -1;
}

const isHigh = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
const isLow = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;

/** Copies the `\uXXXX` (or the pair of them) at `end.read`; false when it is none. */
function copyUnicode(source: Buffer, target: Buffer, end: CopyEnd): boolean {
  const unit = codeUnit(source, end.read);
  if (unit < 0) return false;
  end.read += escapeBytes;
  let point = unit;
  if (isHigh(unit)) {
    const low = codeUnit(source, end.read);
    if (isLow(low)) {
      point = 0x10000 + (unit - 0xd800) * 0x400 + (low - 0xdc00);
      end.read += escapeBytes;
    }
  }
  // Half a pair is no character: Go's decoder writes the replacement character, and so do we.
  if (point >= 0xd800 && point <= 0xdfff) point = replacement;
  end.write += target.write(String.fromCodePoint(point), end.write);
  return true;
}

function copyEscape(source: Buffer, target: Buffer, end: CopyEnd): boolean {
  const byte = plainEscapes.get(source[end.read + 1] ?? 0);
  if (byte === undefined) return copyUnicode(source, target, end);
  target[end.write] = byte;
  end.write += 1;
  end.read += 2;
  return true;
}

/**
 * Copies from `end.read` (behind the opening quote) to `end.write` and leaves `end.read` behind the
 * closing quote. False when the string is torn or wrong. `target` needs as much room as is read.
 */
export function copyJsonString(
  source: Buffer,
  target: Buffer,
  end: CopyEnd,
  limit: number,
): boolean {
  let { read, write } = end;
  while (read < limit) {
    // Below `limit`, so a byte is there.
    const byte = source[read] as number;
    if (byte === quote || byte === newline) break;
    if (byte === backslash) {
      end.read = read;
      end.write = write;
      if (!copyEscape(source, target, end)) return false;
      ({ read, write } = end);
    } else {
      target[write] = byte;
      read += 1;
      write += 1;
    }
  }
  end.read = read + 1;
  end.write = write;
  return read < limit && source[read] === quote;
}
