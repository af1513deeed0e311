import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** The JSON values of a stream, one a line, as they come in. Throws what the stream throws. */
export async function* jsonLines<T>(stream: Readable): AsyncGenerator<T> {
  for await (const line of textLines(stream)) {
    // The shape is the API's promise for this stream.
    if (line.trim() !== '') yield JSON.parse(line) as T;
  }
}

/** The lines of a stream without their ends. */
export async function* textLines(stream: Readable): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of stream) {
    rest += chunk instanceof Buffer ? decoder.write(chunk) : String(chunk);
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield line.replace(/\r$/, '');
  }
  if (rest !== '') yield rest;
}
