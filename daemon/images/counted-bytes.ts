import { Readable } from 'node:stream';

/** The same bytes; `onCount` hears how many have gone by. */
export function countedBytes(source: Readable, onCount: (count: number) => void): Readable {
  async function* count(): AsyncGenerator<Buffer> {
    let total = 0;
    for await (const chunk of source) {
      const bytes = chunk as Buffer; // No encoding is set: chunks are bytes.
      total += bytes.length;
      onCount(total);
      yield bytes;
    }
  }
  return Readable.from(count(), { objectMode: false });
}
