/** Builds and their results on any engine, through its socket. */
import { request as httpRequest } from 'node:http';
import { extract, type Header } from 'tar-stream';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
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
  readonly content: string;
  readonly link: string;
}

/** All files of an image by path, as its layers laid one over the other make them. */
export async function filesOf(
  socketPath: string,
  image: string,
): Promise<ReadonlyMap<string, ImageFile>> {
  const saved = await engineApi(socketPath).get(`/images/${encodeURIComponent(image)}/get`);
  const archive = new Map<string, Buffer>();
  await eachEntry(saved.bytes, (header, content) => archive.set(header.name, content));
  const manifest: unknown = JSON.parse(String(archive.get('manifest.json')));
  const [{ Layers }] = manifest as [{ Layers: string[] }];
  const files = new Map<string, ImageFile>();
  for (const name of Layers) await layOver(files, archive.get(name) ?? Buffer.alloc(0));
  return files;
}

async function layOver(files: Map<string, ImageFile>, layer: Buffer): Promise<void> {
  const bytes = layer[0] === 0x1f ? gunzipSync(layer) : layer;
  await eachEntry(bytes, (header, content) => {
    const path = header.name.replace(/^\.?\/+/, '').replace(/\/$/, '');
    const [, folder = '', hidden] = /^(.*\/)?\.wh\.(.*)$/.exec(path) ?? [];
    const removed = hidden === '.wh..opq' ? folder : `${folder}${hidden ?? ''}`;
    const isFolder = header.type === 'directory';
    if (hidden !== undefined || !isFolder) forget(files, hidden === undefined ? path : removed);
    if (hidden !== undefined || path === '') return;
    const { type, mode, uid, gid, linkname } = header;
    const target = type === 'link' ? files.get(linkname) : undefined;
    const link = target === undefined ? linkname : '';
    files.set(path, target ?? { type, mode, uid, gid, content: content.toString('latin1'), link });
  });
}

function forget(files: Map<string, ImageFile>, path: string): void {
  const folder = path.endsWith('/') ? path : `${path}/`;
  const isBelow = (name: string): boolean => name.startsWith(folder);
  for (const name of [...files.keys()]) if (name === path || isBelow(name)) files.delete(name);
}

async function eachEntry(
  tar: Buffer,
  visit: (header: Header, content: Buffer) => void,
): Promise<void> {
  const parser = extract();
  Readable.from([tar]).pipe(parser);
  for await (const entry of parser) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    visit(entry.header, Buffer.concat(chunks));
  }
}
