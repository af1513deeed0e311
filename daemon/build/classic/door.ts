/** Door one: `POST /build` as Docker's classic builder answers it. */
import type { Readable } from 'node:stream';
import { ApiError, invalidParameter, notImplemented } from '../../../api-spec/errors.js';
import type { BuildGrants, JsonMessage } from '../../../api-spec/index.js';
import { CommandFailed } from '../command-failed.js';
import { prepareBuild, type Engine } from '../engine.js';
import { imageSink } from '../export.js';
import type { BuildSession } from '../needs.js';
import { openScratch, type Scratch } from '../scratch.js';
import { openContext } from './context.js';
import {
  authOf,
  readOptions,
  type ClassicOptions,
  type ClassicQuery,
  type RegistryConfig,
} from './options.js';
import { renderClassic, shortId, type LineSink } from './render.js';
import { renderVertices } from './vertices.js';

/** One build as it arrived. */
export interface ClassicRequest {
  readonly query: ClassicQuery;
  /** A tar, plain or compressed; not read when the context is a URL. */
  readonly body: Readable;
  readonly registryConfig: RegistryConfig;
  /** Undefined from clients that cannot grant anything: all but our own. */
  readonly grants: BuildGrants | undefined;
  readonly sink: LineSink;
  /** The client is gone, or somebody cancelled it: nothing of the build stays. */
  readonly signal: AbortSignal;
}

/** What a quiet build keeps for the case that it fails. */
const maxQuietLines = 100_000;

/** Throws before the first line what shall become a status; later errors are a line. */
export async function buildClassic(engine: Engine, request: ClassicRequest): Promise<void> {
  const { context } = engine;
  const { images } = context;
  const options = readOptions(request.query, (text) => images.checkTag(text));
  const scratch = openScratch(`${context.folder}/builds`, context.removeTree);
  try {
    await buildIn(engine, request, { options, scratch });
  } finally {
    await scratch.remove();
  }
}

interface InScratch {
  readonly options: ClassicOptions;
  readonly scratch: Scratch;
}

async function buildIn(
  engine: Engine,
  request: ClassicRequest,
  { options, scratch }: InScratch,
): Promise<void> {
  const { body, signal } = request;
  const { remote, dockerfile } = options;
  const source = { body, remote, dockerfile, scratch, signal };
  const { tree, dockerfile: text } = await openContext(engine.context, source);
  try {
    const prepared = prepareBuild(engine, {
      ...options,
      dockerfile: text,
      context: tree,
      sink: imageSink(options.tags),
      session: classicSession(request),
    });
    const output = options.quiet ? quietly(request.sink) : loudly(request.sink);
    try {
      const render = request.query.vertices ? renderVertices : renderClassic;
      const observer = render(output.sink);
      const result = await prepared.run({ observer, scratch, signal });
      await tellEnd(output, result, options.tags);
    } catch (error) {
      signal.throwIfAborted();
      await tellFailure(output, error);
    }
  } finally {
    tree.close();
  }
}

/** The classic protocol has no way to ask its client: what may be asked for came along. */
function classicSession({ registryConfig, grants }: ClassicRequest): BuildSession {
  const auth: BuildSession['auth'] = (host) => authOf(registryConfig, host);
  if (grants !== undefined) {
    const { Secrets: secrets = {}, SSH: agents = {} } = grants;
    const relative = Object.values(agents).find((path) => !path.startsWith('/'));
    if (relative !== undefined) throw invalidParameter(`ssh agent ${relative}: not absolute`);
    return {
      secret: (id) => Promise.resolve(own(secrets, id, (text) => Buffer.from(text, 'base64'))),
      sshAgent: (id) => Promise.resolve(own(agents, id, (path) => path)),
      auth,
    };
  }
  const refuse = (what: string): Promise<never> =>
    Promise.reject(
      notImplemented(`the --mount=type=${what} option is not available to the classic builder`),
    );
  return { secret: () => refuse('secret'), sshAgent: () => refuse('ssh'), auth };
}

function own<T>(
  values: Readonly<Record<string, string>>,
  id: string,
  read: (value: string) => T,
): T | undefined {
  const value = Object.hasOwn(values, id) ? values[id] : undefined;
  return value === undefined ? undefined : read(value);
}

interface Output {
  readonly sink: LineSink;
  /** What is shown of a build that succeeded. */
  end(lines: readonly string[], imageId: string): Promise<void>;
  /** What is shown of one that failed, before its error. */
  fail(message: JsonMessage): Promise<void>;
}

function loudly(sink: LineSink): Output {
  return {
    sink,
    end: async (lines) => {
      for (const line of lines) await sink({ stream: line });
    },
    fail: (message) => sink(message),
  };
}

function quietly(sink: LineSink): Output {
  const kept: JsonMessage[] = [];
  return {
    sink: (message) => {
      if (kept.length < maxQuietLines) kept.push(message);
      return Promise.resolve();
    },
    end: (_lines, imageId) => sink({ stream: `${imageId}\n` }),
    fail: async (message) => {
      for (const line of [...kept, message]) await sink(line);
    },
  };
}

async function tellEnd(
  output: Output,
  { imageId, unusedArgs }: { readonly imageId: string; readonly unusedArgs: readonly string[] },
  tags: readonly string[],
): Promise<void> {
  const warning =
    unusedArgs.length === 0
      ? []
      : [`[Warning] One or more build-args [${unusedArgs.join(' ')}] were not consumed\n`];
  const lines = [
    ...warning,
    `Successfully built ${shortId(imageId)}\n`,
    ...tags.map((tag) => `Successfully tagged ${tag}\n`),
  ];
  await output.end(lines, imageId);
}

async function tellFailure(output: Output, error: unknown): Promise<void> {
  if (!(error instanceof ApiError)) throw error;
  const { message } = error;
  const code = error instanceof CommandFailed ? { code: error.exitCode } : {};
  await output.fail({ errorDetail: { ...code, message }, error: message });
}
