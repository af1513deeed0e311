/** Builds and their results on any engine, through its socket. */
import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { extract, type Header } from 'tar-stream';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { JsonMessage } from '../../api-spec/index.js';
import { engineApi } from './engine-api.js';
import { tarOf, type TarEntry } from './tar.js';

/** A file of a context: its content, or more about it. */
export type ContextFile = string | Buffer | Omit<TarEntry, 'name'>;

/** One `POST /build`. */
export interface BuildOptions {
  readonly files: Readonly<Record<string, ContextFile>> | object;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Its answer, read to the end. */
export interface BuildAnswer {
  readonly status: number;
  readonly lines: readonly JsonMessage[];
  /** What a user sees of it. */
  readonly text: string;
  /** Of the last stage; empty when there is none. */
  readonly imageId: string;
}

/** A context as a tar; folders are implied. */
export function contextOf(files: BuildOptions['files']): Buffer {
  const entries = Object.entries(files as Readonly<Record<string, ContextFile>>);
  return tarOf(
    entries.map(([name, file]): TarEntry => {
      if (typeof file === 'string' || Buffer.isBuffer(file)) {
        return { name, mode: 0o644, content: file };
      }
      const type = file.link === undefined ? {} : { type: '2' };
      return { name, mode: 0o644, ...type, ...file };
    }),
  );
}

/** Builds, and reads all that is said; rejects when the connection breaks. */
export function buildOn(socketPath: string, options: BuildOptions): Promise<BuildAnswer> {
  const { files, query = {}, headers = {}, signal } = options;
  const body = contextOf(files);
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      socketPath,
      method: 'POST',
      path: `/v1.45/build?${new URLSearchParams(query).toString()}`,
      headers: { 'Content-Type': 'application/x-tar', ...headers },
      ...(signal === undefined ? {} : { signal }),
    });
    request.once('error', reject);
    request.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.once('error', reject).once('aborted', () => reject(new Error('cut off')));
      response.once('end', () => resolve(answerOf(response.statusCode ?? 0, text)));
    });
    request.end(body);
  });
}

function answerOf(status: number, body: string): BuildAnswer {
  const parsed = body
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line): unknown => JSON.parse(line));
  // The engine's own lines; a refusal is a message alone.
  const lines = parsed as (JsonMessage & { readonly message?: string })[];
  const ids = lines.flatMap(({ aux }) => (aux as { ID?: string } | undefined)?.ID ?? []);
  return {
    status,
    lines,
    text: lines.map(({ stream, message }) => stream ?? message ?? '').join(''),
    imageId: ids.at(-1) ?? '',
  };
}

/** What is known of one file of an image. */
export interface ImageFile {
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** The digest of a long one. */
  readonly content: string;
  readonly link: string;
}

const longBytes = 4096;
const headerBytes = 512;

interface LayerEntry {
  readonly header: Header;
  readonly content: string;
}

/** The lowest layers of an image, whose files are known already. */
export interface KnownLayers {
  readonly count: number;
  readonly files: ReadonlyMap<string, ImageFile>;
}

/** All files of an image by path, as its layers laid one over the other make them. */
export async function filesOf(
  socketPath: string,
  image: string,
  known: KnownLayers = { count: 0, files: new Map() },
): Promise<ReadonlyMap<string, ImageFile>> {
  const path = `/images/${encodeURIComponent(image)}/get`;
  const saved = await engineApi(socketPath).open(path);
  const layers = new Map<string, readonly LayerEntry[]>();
  let manifest = '';
  await eachEntry(saved, async (header, body) => {
    const { isLayer, bytes } = await looked(body);
    if (isLayer) layers.set(header.name, await entriesOf(bytes));
    else if (header.name === 'manifest.json') manifest = (await buffer(bytes)).toString();
    else bytes.resume();
  });
  const [{ Layers }] = JSON.parse(manifest) as [{ Layers: string[] }]; // As Docker writes it.
  const files = new Map(known.files);
  for (const name of Layers.slice(known.count)) layOver(files, layers.get(name) ?? []);
  return files;
}

/** Whether a file of an archive is a layer, by its first bytes; all of its plain bytes. */
async function looked(body: Readable): Promise<{ isLayer: boolean; bytes: Readable }> {
  const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let first = Buffer.alloc(0);
  // A piece may be of a few bytes, where one of the connection ended.
  while (first.length < headerBytes) {
    const { value, done } = await chunks.next();
    if (done === true) break;
    first = Buffer.concat([first, value]);
  }
  const whole = Readable.from(
    (async function* () {
      if (first.length > 0) yield first;
      for (;;) {
        const next = await chunks.next();
        if (next.done === true) return;
        yield next.value;
      }
    })(),
    { objectMode: false },
  );
  const isGzip = first[0] === 0x1f && first[1] === 0x8b;
  const isTar = first.subarray(257, 262).toString('latin1') === 'ustar';
  return { isLayer: isGzip || isTar, bytes: isGzip ? whole.pipe(createGunzip()) : whole };
}

async function entriesOf(layer: Readable): Promise<readonly LayerEntry[]> {
  const entries: LayerEntry[] = [];
  await eachEntry(layer, async (header, body) => {
    const isLong = header.size > longBytes;
    const hash = createHash('sha256');
    if (isLong) for await (const chunk of body) hash.update(chunk as Buffer);
    const content = isLong ? hash.digest('hex') : (await buffer(body)).toString('latin1');
    entries.push({ header, content });
  });
  return entries;
}

function layOver(files: Map<string, ImageFile>, layer: readonly LayerEntry[]): void {
  for (const { header, content } of layer) {
    const path = header.name.replace(/^\.?\/+/, '').replace(/\/$/, '');
    const [, folder = '', hidden] = /^(.*\/)?\.wh\.(.*)$/.exec(path) ?? [];
    const removed = hidden === '.wh..opq' ? folder : `${folder}${hidden ?? ''}`;
    const isFolder = header.type === 'directory';
    if (hidden !== undefined || !isFolder) forget(files, hidden === undefined ? path : removed);
    if (hidden !== undefined || path === '') continue;
    const { type, mode, uid, gid, linkname } = header;
    const target = type === 'link' ? files.get(linkname) : undefined;
    const link = target === undefined ? linkname : '';
    files.set(path, target ?? { type, mode, uid, gid, content, link });
  }
}

function forget(files: Map<string, ImageFile>, path: string): void {
  const folder = path.endsWith('/') ? path : `${path}/`;
  const isBelow = (name: string): boolean => name.startsWith(folder);
  for (const name of [...files.keys()]) if (name === path || isBelow(name)) files.delete(name);
}

async function eachEntry(
  tar: Readable,
  visit: (header: Header, body: Readable) => Promise<void>,
): Promise<void> {
  const parser = extract();
  const piped = pipeline(tar, parser);
  // Its failure ends the loop as well.
  piped.catch(() => undefined);
  for await (const entry of parser) {
    // tar-stream's entries are streams of another package, with the same calls.
    const body = Readable.from(entry, { objectMode: false });
    await visit(entry.header, body);
  }
  await piped;
}
