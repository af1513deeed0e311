/** What `ADD` can take that `COPY` cannot: archives, which are unpacked, URLs, repositories. */
import { Readable } from 'node:stream';
import { ApiError, invalidParameter } from '../../../api-spec/errors.js';
import { compressionOf, isTarHeader } from '../../archive/index.js';
import type { Build } from '../build.js';
import type { Placed } from '../copy/place.js';
import { selectSources, type Selected, type SelectRequest } from '../copy/select.js';
import type { CopyInstruction } from '../dockerfile/instruction.js';
import { fetchFile } from '../remote/fetch.js';
import { cloneRepository, isRepository } from '../remote/git.js';
import { openFolders, type SourceTree } from '../source-tree.js';

interface Adding {
  readonly instruction: CopyInstruction;
  /** Opened on the way, for the caller to close. */
  readonly trees: SourceTree[];
}

/** All that one source names; archives of the context come as the folders that are in them. */
export async function addSources(
  build: Build,
  request: SelectRequest,
  adding: Adding,
): Promise<readonly Placed[]> {
  const { source } = request;
  if (isRepository(source)) return [await fromRepository(build, request, adding)];
  if (/^https?:\/\//i.test(source)) return [await fromUrl(build, request, adding)];
  if (adding.instruction.checksum !== '') {
    throw invalidParameter('checksum is only supported for HTTP(S) and Git sources');
  }
  const selected = await selectSources(request);
  const placed: Placed[] = [];
  for (const one of selected) placed.push(await unpackedIfArchive(build, one, adding));
  return placed;
}

async function fromUrl(
  build: Build,
  request: SelectRequest,
  adding: Adding,
): Promise<Placed> {
  const folder = await build.scratch.make();
  const { checksum } = adding.instruction;
  const name = await fetchFile({ url: request.source, folder, checksum, signal: build.signal });
  const tree = openFolders([folder]);
  adding.trees.push(tree);
  const [selected] = await selectSources({
    ...request,
    tree,
    source: name,
    excludes: [],
    parents: false,
  });
  if (selected === undefined) throw invalidParameter(`ADD failed: ${request.source} is empty`);
  if (adding.instruction.unpack === true) return unpackedIfArchive(build, selected, adding);
  return { selected, unpacked: false };
}

async function fromRepository(
  build: Build,
  request: SelectRequest,
  { instruction, trees }: Adding,
): Promise<Placed> {
  const folder = await cloneRepository({
    url: request.source,
    folder: await build.scratch.make(),
    keepGitDir: instruction.keepGitDir,
    checksum: instruction.checksum,
    signal: build.signal,
  });
  const tree = openFolders([folder]);
  trees.push(tree);
  const [selected] = await selectSources({ ...request, tree, source: '/', parents: false });
  if (selected === undefined) throw invalidParameter(`ADD failed: ${request.source} is empty`);
  return { selected, unpacked: false };
}

async function unpackedIfArchive(
  build: Build,
  selected: Selected,
  { instruction, trees }: Adding,
): Promise<Placed> {
  const plain = { selected, unpacked: false };
  if (instruction.unpack === false || selected.entry.kind !== 'file') return plain;
  const first = await firstBytes(selected);
  const isCompressed = compressionOf(first) !== 'none';
  if (!isCompressed && !isTarHeader(first)) return plain;
  const target = await build.scratch.make();
  try {
    const source = Readable.from(selected.tree.read(selected.path), { objectMode: false });
    await build.context.unpack({ source, target, signal: build.signal });
  } catch (error) {
    // A compressed file need not be an archive: then it is copied as it is.
    const isNoArchive = error instanceof ApiError && error.kind === 'InvalidParameter';
    if (isCompressed && isNoArchive) return plain;
    throw error;
  }
  const tree = openFolders([target]);
  trees.push(tree);
  const [content] = await selectSources({
    kind: 'ADD',
    tree,
    source: '/',
    excludes: [],
    parents: false,
    fromContext: false,
  });
  return content === undefined ? plain : { selected: content, unpacked: true };
}

const headerBytes = 512;

async function firstBytes({ tree, path }: Selected): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of tree.read(path)) {
    chunks.push(Buffer.from(chunk));
    length += chunk.length;
    if (length >= headerBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, headerBytes);
}
