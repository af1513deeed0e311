/** Which files a `COPY` or `ADD` names: patterns, folders, excluded ones. */
import { ApiError, invalidParameter } from '../../../api-spec/errors.js';
import { ErrnoError } from '../../../native/errno-error.js';
import { ignoreRules, isPattern, matcherOf } from '../dockerfile/ignore.js';
import type { SourceEntry, SourceTree, TreeEntry } from '../source-tree.js';

/** One source as it was found. */
export interface Selected {
  readonly tree: SourceTree;
  /** Its real path in the tree. */
  readonly path: string;
  readonly entry: TreeEntry;
  /** What it is called where it is put into a folder. */
  readonly name: string;
  /** With `--parents`: the folders that come along. */
  readonly parents: readonly string[];
  /** Paths below a folder that stay behind, relative to it. */
  readonly excludes: (path: string) => boolean;
}

/** Where to look, and for what. */
export interface SelectRequest {
  readonly kind: 'COPY' | 'ADD';
  readonly tree: SourceTree;
  /** Expanded, relative to the tree's root. */
  readonly source: string;
  readonly excludes: readonly string[];
  readonly parents: boolean;
  /** Whether it comes from the build's context, out of which nothing may lead. */
  readonly fromContext: boolean;
}

/** At most so many files may match one pattern. */
const maxMatches = 100_000;

/** All that a source names; `ApiError` in Docker's words for nothing. */
export async function selectSources(request: SelectRequest): Promise<readonly Selected[]> {
  const { kind, tree, source } = request;
  const path = cleaned(request);
  if (isPattern(path)) {
    const found = await matching(request, path);
    if (found.length > 0) return found;
    throw invalidParameter(`${kind} failed: no source files were specified`);
  }
  const { entry, path: real } = await resolved(tree, path);
  if (entry === undefined) {
    const where = request.fromContext
      ? 'file not found in build context or excluded by .dockerignore: '
      : '';
    const shown = request.fromContext ? path : source;
    throw invalidParameter(`${kind} failed: ${where}stat ${shown}: file does not exist`);
  }
  return [select(request, { path, real, entry })];
}

async function resolved(tree: SourceTree, path: string) {
  try {
    return await tree.resolve(path, { followLast: true });
  } catch (error) {
    if (!(error instanceof ErrnoError) || error.code !== 'ENOTDIR') throw error;
    return { path, entry: undefined };
  }
}

/** Without `.`, double slashes, and what leads out. */
function cleaned({ kind, source, fromContext }: SelectRequest): string {
  const parts: string[] = [];
  for (const part of source.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined && fromContext && !source.startsWith('/')) {
      throw invalidParameter(
        `${kind} failed: forbidden path outside the build context: ${source} ()`,
      );
    }
  }
  return parts.join('/');
}

/** To Docker a pattern that is none is one that matches nothing. */
function matcherIfAny(pattern: string): ReturnType<typeof matcherOf> | undefined {
  try {
    return matcherOf(pattern);
  } catch (error) {
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}

async function matching(request: SelectRequest, pattern: string): Promise<readonly Selected[]> {
  const isMatch = matcherIfAny(pattern);
  if (isMatch === undefined) return [];
  const depth = pattern.includes('**') ? Infinity : pattern.split('/').length;
  const found: Selected[] = [];
  const enter = (path: string): boolean =>
    path.split('/').length < depth && !isMatch(path);
  for await (const entry of request.tree.walk('', enter)) {
    if (!isMatch(entry.path)) continue;
    if (found.length === maxMatches) throw invalidParameter('too many files match a pattern');
    const followed = entry.kind === 'link' ? await resolved(request.tree, entry.path) : undefined;
    const real = followed?.entry === undefined ? entry.path : followed.path;
    found.push(select(request, { path: entry.path, real, entry: followed?.entry ?? entry }));
  }
  return found;
}

/** How many folders lie before `/./`: these do not come along. */
function pivotOf(source: string): number {
  const at = source.indexOf('/./');
  const isPart = (part: string): boolean => part !== '' && part !== '.';
  return at < 0 ? 0 : source.slice(0, at).split('/').filter(isPart).length;
}

function select(
  { tree, excludes, parents, source }: SelectRequest,
  { path, real, entry }: { path: string; real: string; entry: TreeEntry },
): Selected {
  const names = path.split('/');
  const rules = ignoreRules(excludes);
  return {
    tree,
    path: real,
    entry,
    name: names.at(-1) ?? '',
    parents: parents ? names.slice(pivotOf(source), -1) : [],
    excludes: excludes.length === 0 ? () => false : (below) => rules.ignores(below),
  };
}

/** Everything below a selected folder that is not excluded, paths relative to it. */
export async function* contentOf(
  selected: Selected,
): AsyncGenerator<SourceEntry & { readonly below: string }> {
  const { tree, path, excludes } = selected;
  const below = (full: string): string => (path === '' ? full : full.slice(path.length + 1));
  for await (const entry of tree.walk(path, () => true)) {
    const relative = below(entry.path);
    if (!excludes(relative)) yield { ...entry, below: relative };
  }
}
