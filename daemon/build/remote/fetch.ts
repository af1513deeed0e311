/** Files by HTTP: for `ADD` and for contexts that lie elsewhere. */
import { createHash } from 'node:crypto';
import { open, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { request as httpRequest } from 'undici';
import { invalidParameter, systemError, tooLarge } from '../../../api-spec/errors.js';
import { maxFetchedBytes } from './growth.js';

/** What is fetched, and where to. */
export interface FetchRequest {
  readonly url: string;
  /** An empty folder; the file gets the name that the URL ends in. */
  readonly folder: string;
  /** `sha256:…`, or empty for any content. */
  readonly checksum: string;
  readonly signal: AbortSignal;
  readonly maxBytes?: number;
}

const maxRedirects = 10;
/** How long a server may say nothing. */
const silenceMs = 60_000;

/** Fetches it; the name of the file. `ApiError` with the reason. */
export async function fetchFile(request: FetchRequest): Promise<string> {
  const { url, folder, checksum, signal, maxBytes = maxFetchedBytes } = request;
  const name = nameOf(url);
  const answer = await follow(url, signal);
  if (Number(answer.headers['content-length']) > maxBytes) {
    answer.body.destroy();
    throw tooLarge(`${url} is larger than ${maxBytes} bytes`);
  }
  const path = join(folder, name);
  const file = await open(path, 'wx', 0o600);
  const hash = createHash('sha256');
  try {
    let length = 0;
    for await (const chunk of whole(answer.body, url, signal)) {
      length += chunk.length;
      if (length > maxBytes) throw tooLarge(`${url} is larger than ${maxBytes} bytes`);
      hash.update(chunk);
      await file.writeFile(chunk);
    }
  } finally {
    await file.close();
  }
  const digest = `sha256:${hash.digest('hex')}`;
  if (checksum !== '' && checksum !== digest) {
    throw invalidParameter(`digest mismatch for ${url}: ${digest} (expected: ${checksum})`);
  }
  const modified = new Date(String(answer.headers['last-modified'] ?? ''));
  const mtime = Number.isNaN(modified.getTime()) ? new Date(0) : modified;
  await utimes(path, mtime, mtime);
  return name;
}

/** The body to its end; a connection that breaks is told with the URL. */
async function* whole(
  body: AsyncIterable<unknown>,
  url: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  try {
    // The body has no encoding: chunks are bytes.
    for await (const chunk of body) yield chunk as Buffer;
  } catch (error) {
    throw unreachable(url, error, signal);
  }
}

function unreachable(url: string, error: unknown, signal: AbortSignal): Error {
  signal.throwIfAborted();
  const why = error instanceof Error ? error.message : String(error);
  return systemError(`Get ${JSON.stringify(url)}: ${why}`, error);
}

function nameOf(url: string): string {
  const name = new URL(url).pathname.split('/').at(-1) ?? '';
  const plain = decodeURIComponent(name);
  if (plain === '' || plain === '.' || plain === '..' || /[/\0]/.test(plain)) {
    throw invalidParameter(`cannot determine filename from url: ${url}`);
  }
  return plain;
}

async function follow(url: string, signal: AbortSignal) {
  let current = url;
  for (let hops = 0; hops <= maxRedirects; hops += 1) {
    const answer = await ask(current, signal);
    const location = answer.headers['location'];
    if (answer.statusCode < 300 || typeof location !== 'string') {
      if (answer.statusCode < 400) return answer;
      await answer.body.dump();
      throw invalidParameter(
        `failed to GET ${current} with status ${answer.statusCode}: unexpected answer`,
      );
    }
    await answer.body.dump();
    const next = new URL(location, current);
    if (!/^https?:$/.test(next.protocol)) {
      throw invalidParameter(`unsupported protocol scheme ${JSON.stringify(next.protocol)}`);
    }
    current = next.href;
  }
  throw invalidParameter(`Get ${JSON.stringify(url)}: stopped after ${maxRedirects} redirects`);
}

async function ask(url: string, signal: AbortSignal) {
  try {
    return await httpRequest(url, {
      signal,
      headersTimeout: silenceMs,
      bodyTimeout: silenceMs,
    });
  } catch (error) {
    throw unreachable(url, error, signal);
  }
}
