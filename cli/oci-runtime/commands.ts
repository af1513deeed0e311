/** The commands: their flags, what their words are, what they do. */
import * as fs from 'node:fs';
import { join, resolve } from 'node:path';
import { readHostFacts } from '../../daemon/runtime/host-facts.js';
import type { Flags, Given } from './arguments.js';
import { create, type CreateRequest } from './create.js';
import { defaultConfig } from './default-bundle.js';
import { deleteContainer } from './delete.js';
import { features } from './features.js';
import { kill } from './kill.js';
import { list, ps, type Format } from './list.js';
import { notSupported, OciError } from './oci-error.js';
import { run } from './run.js';
import { start } from './start.js';
import { state } from './state.js';

/** What every command may use. */
export interface Surroundings {
  readonly root: string;
  readonly print: (text: string) => void;
  readonly warn: (message: string) => void;
}

/** One command: what help says of it, what it takes, and what it does. */
export interface Command {
  readonly about: string;
  /** The words after the flags, as help shows them. */
  readonly words: string;
  /** How many words there may be, the least and the most. */
  readonly count: readonly [number, number];
  readonly flags: Flags;
  /** The exit status. */
  readonly act: (given: Given, around: Surroundings) => Promise<number> | number;
}

const bundleFlags: Flags = {
  bundle: { type: 'string', short: 'b' },
  'pid-file': { type: 'string' },
  'console-socket': { type: 'string' },
  'preserve-fds': { type: 'string' },
  'no-pivot': { type: 'boolean' },
  'no-new-keyring': { type: 'boolean' },
};

const formatFlags: Flags = { format: { type: 'string', short: 'f' } };
const id = 'ID';
const one = [1, 1] as const;

const idOf = ({ words }: Given): string => words[0] ?? '';

function createRequest(given: Given, { root }: Surroundings): CreateRequest {
  if ((given.text('preserve-fds') ?? '0') !== '0') throw notSupported('--preserve-fds');
  if (given.truth('no-pivot')) throw notSupported('--no-pivot');
  const [pidFile, consoleSocket] = [given.text('pid-file'), given.text('console-socket')];
  return {
    root, id: idOf(given), bundle: given.text('bundle') ?? '.',
    noNewKeyring: given.truth('no-new-keyring'), keepsTerminal: false,
    ...(pidFile === undefined ? {} : { pidFile: resolve(pidFile) }),
    ...(consoleSocket === undefined ? {} : { consoleSocket: resolve(consoleSocket) }),
  };
}

function formatOf(given: Given): Format {
  const format = given.text('format') ?? 'table';
  if (format !== 'table' && format !== 'json') throw new OciError(`unknown format ${format}`);
  return format;
}

async function createCommand(given: Given, around: Surroundings): Promise<number> {
  const { launching } = await create(createRequest(given, around));
  // Whoever runs us (conmon, containerd's shim) waits for the process itself.
  await launching.leave({ handOver: true });
  return 0;
}

function writeSpec(given: Given): number {
  const path = join(given.text('bundle') ?? '.', 'config.json');
  const text = `${JSON.stringify(defaultConfig(), null, 2)}\n`;
  fs.writeFileSync(path, text, { flag: 'wx', mode: 0o666 });
  return 0;
}

function missing(about: string): Command {
  return {
    about: `${about} (not supported yet)`, words: '', count: [0, Infinity], flags: {},
    act: () => { throw notSupported(about); },
  };
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** All commands, by the words that callers of OCI runtimes use. */
export const commands: Readonly<Record<string, Command>> = {
  create: {
    about: 'make a container: its process waits for start', words: id, count: one,
    flags: bundleFlags, act: createCommand,
  },
  start: {
    about: 'let the process of a created container go', words: id, count: one, flags: {},
    act: async (given, { root }) => start(root, idOf(given)).then(() => 0),
  },
  state: {
    about: 'print the state document', words: id, count: one, flags: {},
    act: async (given, { root, print }) => {
      print(json(await state(root, idOf(given))));
      return 0;
    },
  },
  kill: {
    about: 'send a signal (TERM) to the process', words: 'ID [SIGNAL]', count: [1, 2],
    flags: { all: { type: 'boolean', short: 'a' } },
    act: async (given, { root }) =>
      kill({
        root, id: idOf(given), signal: given.words[1] ?? 'TERM', all: given.truth('all'),
      }).then(() => 0),
  },
  delete: {
    about: 'remove a stopped container', words: id, count: one,
    flags: { force: { type: 'boolean', short: 'f' } },
    act: async (given, { root, warn }) =>
      deleteContainer({ root, id: idOf(given), force: given.truth('force'), warn }).then(() => 0),
  },
  run: {
    about: 'create and start; wait for the end and delete, unless detached', words: id, count: one,
    flags: {
      ...bundleFlags, detach: { type: 'boolean', short: 'd' }, keep: { type: 'boolean' },
    },
    act: (given, around) =>
      run({
        ...createRequest(given, around), detach: given.truth('detach'), keep: given.truth('keep'),
        warn: around.warn,
      }),
  },
  list: {
    about: 'list the containers', words: '', count: [0, 0],
    flags: { ...formatFlags, quiet: { type: 'boolean', short: 'q' } },
    act: async (given, { root, print }) => {
      print(await list(root, formatOf(given), given.truth('quiet')));
      return 0;
    },
  },
  ps: {
    about: 'list the processes of a container', words: id, count: [1, Infinity],
    flags: formatFlags,
    act: (given, { root, print }) => {
      print(ps(root, idOf(given), formatOf(given)));
      return 0;
    },
  },
  spec: {
    about: 'write a config.json to start from', words: '', count: [0, 0],
    flags: { bundle: { type: 'string', short: 'b' } }, act: writeSpec,
  },
  features: {
    about: 'print what this runtime can do', words: '', count: [0, 0], flags: {},
    act: (_given, { print }) => {
      print(json(features(readHostFacts())));
      return 0;
    },
  },
  exec: missing('exec'),
  pause: missing('pause'),
  resume: missing('resume'),
  update: missing('update'),
  events: missing('events'),
};
