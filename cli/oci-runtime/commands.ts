/** The commands: their flags, what their words are, what they do. */
import * as fs from 'node:fs';
import { join, resolve } from 'node:path';
import { readHostFacts } from '../../daemon/runtime/host-facts.js';
import type { Flags, Given } from './arguments.js';
import { create, type CreateRequest } from './create.js';
import { defaultConfig, rootlessConfig } from './default-bundle.js';
import { deleteContainer } from './delete.js';
import { durationMs, events } from './events.js';
import { exec } from './exec.js';
import { features } from './features.js';
import { kill } from './kill.js';
import { list, ps, type Format } from './list.js';
import { OciError } from './oci-error.js';
import { pause, resume } from './pause.js';
import { run } from './run.js';
import { failedStart, start } from './start.js';
import { state } from './state.js';
import { resourcesOf, update, updateFlags } from './update.js';

/** What every command may use. */
export interface Surroundings {
  readonly root: string;
  /** The file that holds all of this program's code, if it is one. */
  readonly bundle?: string;
  /** Groups are scopes of systemd's. */
  readonly systemdCgroup: boolean;
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
  /** The words after the first are a command line of their own. */
  readonly takesCommand?: true;
  /** The exit status. */
  readonly act: (given: Given, around: Surroundings) => Promise<number> | number;
}

const bundleFlags: Flags = {
  bundle: { type: 'string', short: 'b' },
  config: { type: 'string', short: 'f' },
  'pid-file': { type: 'string' },
  'console-socket': { type: 'string' },
  'preserve-fds': { type: 'string' },
  'no-pivot': { type: 'boolean' },
  'no-new-keyring': { type: 'boolean' },
};

const execFlags: Flags = {
  process: { type: 'string', short: 'p' },
  tty: { type: 'boolean', short: 't' },
  env: { type: 'string', short: 'e', multiple: true },
  cwd: { type: 'string' },
  user: { type: 'string', short: 'u' },
  'additional-gids': { type: 'string', short: 'g', multiple: true },
  cap: { type: 'string', short: 'c', multiple: true },
  'no-new-privs': { type: 'boolean' },
  apparmor: { type: 'string' },
  'ignore-paused': { type: 'boolean' },
  detach: { type: 'boolean', short: 'd' },
  'pid-file': { type: 'string' },
  'console-socket': { type: 'string' },
  'preserve-fds': { type: 'string' },
};

const formatFlags: Flags = { format: { type: 'string', short: 'f' } };
const id = 'ID';
const one = [1, 1] as const;

const idOf = ({ words }: Given): string => words[0] ?? '';

function createRequest(
  given: Given,
  { root, bundle, warn, systemdCgroup }: Surroundings,
): CreateRequest {
  const [pidFile, consoleSocket] = [given.text('pid-file'), given.text('console-socket')];
  const config = given.text('config');
  return {
    root, id: idOf(given), bundle: given.text('bundle') ?? '.', warn, systemdCgroup,
    noPivot: given.truth('no-pivot'),
    noNewKeyring: given.truth('no-new-keyring'), keepsTerminal: false,
    preservedFds: preservedFds(given),
    ...(bundle === undefined ? {} : { compiler: bundle }),
    ...(config === undefined ? {} : { config: resolve(config) }),
    ...(pidFile === undefined ? {} : { pidFile: resolve(pidFile) }),
    ...(consoleSocket === undefined ? {} : { consoleSocket: resolve(consoleSocket) }),
  };
}

function preservedFds(given: Given): number {
  const text = given.text('preserve-fds') ?? '0';
  if (!/^\d{1,3}$/.test(text)) {
    throw new OciError(`--preserve-fds: ${text} is no number below 1000`);
  }
  return Number(text);
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
  const config = given.truth('rootless')
    ? rootlessConfig(process.geteuid?.() ?? 0, process.getegid?.() ?? 0)
    : defaultConfig();
  fs.writeFileSync(path, json(config), { flag: 'wx', mode: 0o666 });
  return 0;
}

function execCommand(given: Given, { root }: Surroundings): Promise<number> {
  const [pidFile, consoleSocket] = [given.text('pid-file'), given.text('console-socket')];
  return exec({
    root, id: idOf(given), flags: given, detach: given.truth('detach'),
    preservedFds: preservedFds(given),
    ...(pidFile === undefined ? {} : { pidFile: resolve(pidFile) }),
    ...(consoleSocket === undefined ? {} : { consoleSocket: resolve(consoleSocket) }),
  });
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** All commands, by the words that callers of OCI runtimes use. */
export const commands: Readonly<Record<string, Command>> = {
  create: {
    about: 'make a container: its process waits for start', words: id, count: one,
    flags: bundleFlags, act: createCommand,
  },
  start: {
    about: 'let the process of a created container go', words: id, count: one,
    flags: { failed: { type: 'string', hidden: true } },
    act: async (given, { root }) => {
      const errno = given.text('failed');
      if (errno !== undefined) failedStart(root, idOf(given), errno);
      await start(root, idOf(given));
      return 0;
    },
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
    flags: { bundle: { type: 'string', short: 'b' }, rootless: { type: 'boolean' } },
    act: writeSpec,
  },
  features: {
    about: 'print what this runtime can do', words: '', count: [0, 0], flags: {},
    act: (_given, { print }) => {
      print(json(features(readHostFacts())));
      return 0;
    },
  },
  exec: {
    about: 'run one more process in a container', words: 'ID COMMAND [ARGUMENT...]',
    count: [1, Infinity], takesCommand: true, flags: execFlags, act: execCommand,
  },
  pause: {
    about: 'let every process of a container stand still', words: id, count: one, flags: {},
    act: (given, { root }) => pause(root, idOf(given)).then(() => 0),
  },
  resume: {
    about: 'let the processes of a paused container go on', words: id, count: one, flags: {},
    act: (given, { root }) => resume(root, idOf(given)).then(() => 0),
  },
  update: {
    about: 'change the limits of a container that lives', words: id, count: one,
    flags: updateFlags,
    act: (given, { root }) =>
      update(root, idOf(given), resourcesOf(given, () => fs.readFileSync(0, 'utf8')))
        .then(() => 0),
  },
  events: {
    about: 'print what a container uses, every five seconds', words: id, count: one,
    flags: { interval: { type: 'string' }, stats: { type: 'boolean' } },
    act: (given, { root, print }) =>
      events({
        root, id: idOf(given), once: given.truth('stats'), print,
        intervalMs: durationMs(given.text('interval') ?? '5s'),
      }).then(() => 0),
  },
};
