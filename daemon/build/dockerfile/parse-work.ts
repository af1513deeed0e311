/** The instructions that change files: `RUN`, `COPY`, `ADD`. Pure. */
import { errorAt } from './dockerfile-error.js';
import { checkFlags, type KnownFlags } from './flags.js';
import type { CopyInstruction, RunInstruction } from './instruction.js';
import { isHeredocWord } from './lines.js';
import type { Statement } from './parse.js';
import { parseMount } from './parse-mount.js';
import { commandOf, jsonWords, plainWords, takeFlags } from './words.js';

const runFlags: KnownFlags = { mount: 'many', network: 'text', security: 'text' };
const networks = ['default', 'none', 'host'] as const;

/** `ApiError` 400 in Docker's words. */
export function parseRun(statement: Statement): RunInstruction {
  const { line, text, rest, escape, heredocs } = statement;
  const taken = takeFlags(rest, escape);
  const flags = checkFlags(taken.flags, runFlags, line);
  const network = flags.text('network');
  const known = networks.find((mode) => mode === network);
  if (flags.has('network') && known === undefined) {
    throw errorAt(line, `invalid network mode ${JSON.stringify(network)}`);
  }
  const security = flags.text('security');
  if (flags.has('security') && security !== 'sandbox') {
    throw errorAt(line, `security.${security} is not allowed`);
  }
  const mounts = flags.many('mount').map((mount) => parseMount(mount, line));
  const command = commandOf(taken.rest);
  return { kind: 'RUN', line, text, command, heredocs, mounts, network: known ?? '' };
}

const copyFlags: KnownFlags = {
  from: 'text',
  chown: 'text',
  chmod: 'text',
  link: 'switch',
  parents: 'switch',
  exclude: 'many',
};

const addFlags: KnownFlags = {
  'keep-git-dir': 'switch',
  chown: 'text',
  chmod: 'text',
  link: 'switch',
  checksum: 'text',
  exclude: 'many',
  unpack: 'switch',
};

/** `ApiError` 400 in Docker's words. */
export function parseCopy(kind: 'COPY' | 'ADD') {
  return (statement: Statement): CopyInstruction => {
    const { line, text, rest, escape, heredocs } = statement;
    const taken = takeFlags(rest, escape);
    const words = jsonWords(taken.rest) ?? plainWords(taken.rest);
    const destination = words.at(-1);
    if (destination === undefined || words.length === 1) {
      const why = 'but only one was provided. Destination could not be determined';
      throw errorAt(line, `${kind} requires at least two arguments, ${why}`);
    }
    const flags = checkFlags(taken.flags, kind === 'COPY' ? copyFlags : addFlags, line);
    const sources = words.slice(0, -1).filter((word) => !isHeredocWord(word));
    return {
      kind,
      line,
      text,
      sources,
      destination,
      heredocs,
      from: flags.text('from'),
      chown: flags.text('chown'),
      chmod: flags.text('chmod'),
      link: flags.isOn('link'),
      parents: flags.isOn('parents'),
      excludes: flags.many('exclude'),
      checksum: flags.text('checksum'),
      keepGitDir: flags.isOn('keep-git-dir'),
      ...(flags.has('unpack') ? { unpack: flags.isOn('unpack') } : {}),
    };
  };
}
