/** `COPY` and `ADD`, and the folder of a `WORKDIR`: layers that are put together, not run. */
import { Readable } from 'node:stream';
import { invalidParameter } from '../../api-spec/errors.js';
import { ErrnoError } from '../../native/errno-error.js';
import type { BuildLayer } from '../images/builds.js';
import { addSources } from './add/sources.js';
import type { Build } from './build.js';
import { checksumOf } from './copy/checksum.js';
import { parseChmod } from './copy/mode.js';
import { ownerOf, type Owner } from './copy/owner.js';
import { addFolders, placeAll, type Placed } from './copy/place.js';
import { selectSources } from './copy/select.js';
import { expandText, expandWord } from './dockerfile/expand.js';
import type { CopyInstruction } from './dockerfile/instruction.js';
import { writeLayerTar, type LayerEntries } from './layer-tar.js';
import { memoryTree } from './memory-tree.js';
import { recall, remember, type StepKey } from './remember.js';
import { shellOf } from './config-step.js';
import type { StageState } from './state.js';
import type { SourceTree } from './source-tree.js';
import type { StepContext } from './step.js';
import { openFrom, openRootfs } from './trees.js';

/** The words of the instruction, expanded. */
interface Expanded {
  readonly sources: readonly string[];
  readonly destination: string;
  readonly chown: string;
  readonly excludes: readonly string[];
}

/** The state after it; `ApiError` in Docker's words. */
export async function copyStep(
  step: StepContext,
  state: StageState,
  instruction: CopyInstruction,
): Promise<StageState> {
  const { build } = step;
  const words = expandAll(step, state, instruction);
  const trees: SourceTree[] = [];
  try {
    const sources = await findSources(step, { state, instruction, words, trees });
    const summed = sources.map(({ selected }) => selected);
    const sum = await checksumOf(summed, build.signal);
    const unpacked = sources.map((one) => one.unpacked);
    const key = keyOf(state, { instruction, words, sum, unpacked });
    const found = await recall(build, state, key);
    if (found !== undefined) {
      await step.tell({ kind: 'cached' });
      return found;
    }
    const layer = await build.slots.run(
      () => makeLayer(build, state, { instruction, words, sources }),
      build.signal,
    );
    return await remember(build, state, { step: key, layer });
  } catch (error) {
    throw worded(error, instruction);
  } finally {
    for (const tree of trees) tree.close();
  }
}

/** What paths of images and contexts may do wrong; anything else is a bug or the disk. */
const pathErrors: Readonly<Record<string, string>> = {
  ENOTDIR: 'not a directory',
  ELOOP: 'too many levels of symbolic links',
  ENAMETOOLONG: 'file name too long',
  EINVAL: 'invalid argument',
};

function worded(error: unknown, { kind }: CopyInstruction): unknown {
  const why = error instanceof ErrnoError ? pathErrors[error.code] : undefined;
  if (!(error instanceof ErrnoError) || why === undefined) return error;
  return invalidParameter(`${kind} failed: ${error.about ?? ''}: ${why}`, error);
}

function expandAll(
  { build, args }: StepContext,
  state: StageState,
  instruction: CopyInstruction,
): Expanded {
  const variables = args.variables(state.config.Env ?? []);
  const expand = (word: string): string => expandWord(word, { variables, escape: build.escape });
  return {
    sources: instruction.sources.map(expand),
    destination: expand(instruction.destination),
    chown: expand(instruction.chown),
    excludes: instruction.excludes.map(expand),
  };
}

interface Search {
  readonly state: StageState;
  readonly instruction: CopyInstruction;
  readonly words: Expanded;
  /** Opened on the way, for the caller to close. */
  readonly trees: SourceTree[];
}

async function findSources(step: StepContext, search: Search): Promise<readonly Placed[]> {
  const { build } = step;
  const { instruction, words, trees } = search;
  const { kind, from, parents } = instruction;
  const placed: Placed[] = [];
  let tree = build.request.context;
  if (from !== '') {
    tree = (await openFrom(build, from, step.stage)).tree;
    trees.push(tree);
  }
  const select = { kind, tree, excludes: words.excludes, parents, fromContext: from === '' };
  for (const source of words.sources) {
    if (kind === 'ADD') {
      placed.push(...(await addSources(build, { ...select, source }, { instruction, trees })));
      continue;
    }
    const selected = await selectSources({ ...select, source });
    placed.push(...selected.map((one) => ({ selected: one, unpacked: false })));
  }
  placed.push(...(await documents(step, search)));
  if (placed.length === 0) throw invalidParameter(`${kind} failed: no source files were specified`);
  return placed;
}

/** Here-documents are files of their names. */
async function documents(
  { build, args }: StepContext,
  { state, instruction }: Search,
): Promise<readonly Placed[]> {
  const { heredocs, kind } = instruction;
  if (heredocs.length === 0) return [];
  const variables = args.variables(state.config.Env ?? []);
  const options = { variables, escape: build.escape };
  const files = new Map(
    heredocs.map(({ name, content, expand }) => [
      name,
      Buffer.from(expand ? expandText(content, options) : content),
    ]),
  );
  const tree = memoryTree(files, { mode: 0o644, mtimeMs: build.context.nowMs() });
  const found: Placed[] = [];
  for (const source of files.keys()) {
    const selected = await selectSources({
      kind,
      tree,
      source,
      excludes: [],
      parents: false,
      fromContext: true,
    });
    found.push(...selected.map((one) => ({ selected: one, unpacked: false })));
  }
  return found;
}

interface Summed {
  readonly instruction: CopyInstruction;
  readonly words: Expanded;
  readonly sum: string;
  readonly unpacked: readonly boolean[];
}

function keyOf(state: StageState, { instruction, words, sum, unpacked }: Summed): StepKey {
  const { kind, chmod, text, from, parents } = instruction;
  const chown = words.chown === '' ? '' : `--chown=${words.chown} `;
  const shell = shellOf(state.config).join(' ');
  const more = [chmod, String(parents), ...words.excludes, JSON.stringify(unpacked)];
  return {
    createdBy: `${shell} #(nop) ${kind} ${chown}${sum} in ${words.destination} `,
    // A stage's files keep their owners, those of the context do not.
    extra: [from === '' ? 'context' : 'image', ...more],
    config: state.config,
    kind: 'source.local',
    description: text,
  };
}

interface Copying {
  readonly instruction: CopyInstruction;
  readonly words: Expanded;
  readonly sources: readonly Placed[];
}

async function makeLayer(
  build: Build,
  state: StageState,
  { instruction, words, sources }: Copying,
): Promise<BuildLayer | undefined> {
  const rootfs = openRootfs(build, state);
  try {
    const entries: LayerEntries = new Map();
    const chown =
      words.chown === ''
        ? undefined
        : await ownerOf(words.chown, rootfs, build.context.resolveOwner);
    await placeAll(entries, sources, {
      kind: instruction.kind,
      rootfs,
      destination: destinationOf(state, words.destination),
      owner: chown ?? ownerOfSources(instruction),
      mode: instruction.chmod === '' ? undefined : parseChmod(instruction.chmod),
      nowMs: build.context.nowMs(),
    });
    return await addEntries(build, state, entries);
  } finally {
    rootfs.close();
  }
}

/** Files of the context become root's; those of an image or a stage keep their owners. */
function ownerOfSources({ from }: CopyInstruction): Owner | undefined {
  return from === '' ? { uid: 0, gid: 0 } : undefined;
}

function destinationOf({ config }: StageState, destination: string): string {
  const absolute = destination.startsWith('/')
    ? destination
    : `${config.WorkingDir ?? ''}/${destination}`;
  const isFolder = /(^|\/)\.?$/.test(destination);
  return isFolder && !absolute.endsWith('/') ? `${absolute}/` : absolute;
}

/** The folder of a `WORKDIR`, where there is none yet: a layer, or undefined for nothing to do. */
export async function makeWorkdir(
  build: Build,
  state: StageState,
  folder: string,
): Promise<BuildLayer | undefined> {
  const rootfs = openRootfs(build, state);
  try {
    const found = await rootfs.resolve(folder, { followLast: true });
    if (found.entry?.kind === 'directory') return undefined;
    if (found.entry !== undefined) throw invalidParameter(`mkdir ${folder}: not a directory`);
    const entries: LayerEntries = new Map();
    const owner = { uid: 0, gid: 0 };
    await addFolders(entries, found.path, { rootfs, owner, nowMs: build.context.nowMs() });
    return await addEntries(build, state, entries);
  } finally {
    rootfs.close();
  }
}

function addEntries(
  build: Build,
  state: StageState,
  entries: LayerEntries,
): Promise<BuildLayer | undefined> {
  // In a layer such a name says that another is gone: as a file it would be lost in silence.
  const marker = [...entries.keys()].find((path) => /(^|\/)\.wh\./.test(path));
  if (marker !== undefined) {
    const why = 'no layer can hold a name that begins with .wh.';
    throw invalidParameter(`failed to register layer: ${why}: ${JSON.stringify(marker)}`);
  }
  const write = (fd: number) => writeLayerTar(entries, fd, build.signal);
  return build.hold.addLayer(state.diffIds, write, build.signal);
}

/** The bytes of a file in a tree, as a stream. */
export function streamOf(tree: SourceTree, path: string): Readable {
  return Readable.from(tree.read(path), { objectMode: false });
}
