/**
 * The command line, read as dockerd reads it: `--flag value`, `--flag=value`, `-f value`,
 * `-fvalue`.
 */
import { ConfigError } from './config-error.js';
import { kinds } from './kinds.js';
import type { Settings } from './options.js';
import { optionSpecs } from './options.js';

/** What a command line says. */
export interface CommandLine {
  readonly settings: Settings;
  /** Undefined: the default path, which may be absent. */
  readonly configFile: string | undefined;
  readonly validate: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

interface Flag {
  /** `--mtu`, or `-H, --host`: as messages name it. */
  readonly shown: string;
  readonly name: string;
  readonly bare: boolean;
}

const own: readonly Flag[] = [
  { shown: '--config-file', name: 'config-file', bare: false },
  { shown: '--validate', name: 'validate', bare: true },
  { shown: '-h, --help', name: 'help', bare: true },
  { shown: '-v, --version', name: 'version', bare: true },
];

const flags: ReadonlyMap<string, Flag> = new Map(
  [
    ...own.map((flag) => [`--${flag.name}`, flag] as const),
    ['-h', own[2]] as const,
    ['-v', own[3]] as const,
    ...[...optionSpecs.values()].flatMap((spec) => {
      if (spec.flag === undefined) return [];
      const long = `--${spec.flag}`;
      const shown = spec.short === undefined ? long : `-${spec.short}, ${long}`;
      const flag = { shown, name: spec.flag, bare: 'bare' in kinds[spec.kind] };
      const entries = [[long, flag] as const];
      return spec.short === undefined ? entries : [...entries, [`-${spec.short}`, flag] as const];
    }),
  ].flatMap(([name, flag]) => (flag === undefined ? [] : [[name, flag] as const])),
);

/** Cuts one argument into the flag's name and the value that is glued to it. */
function cut(argument: string): readonly [string, string | undefined] {
  if (argument.startsWith('--')) {
    const at = argument.indexOf('=');
    return at < 0 ? [argument, undefined] : [argument.slice(0, at), argument.slice(at + 1)];
  }
  const rest = argument.slice(2);
  return [argument.slice(0, 2), rest === '' ? undefined : rest.replace(/^=/, '')];
}

function unknownFlag(argument: string, name: string): ConfigError {
  return name.startsWith('--')
    ? new ConfigError(`unknown flag: ${name}`)
    : new ConfigError(`unknown shorthand flag: '${name.slice(1)}' in ${argument}`);
}

function collect(argv: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const words = new Map<string, string[]>();
  for (let at = 0; at < argv.length; at += 1) {
    const argument = argv[at] ?? '';
    if (!argument.startsWith('-') || argument === '-' || argument === '--') {
      throw new ConfigError('"tsdockerd" accepts no argument(s).');
    }
    const [name, glued] = cut(argument);
    const flag = flags.get(name);
    if (flag === undefined) throw unknownFlag(argument, name);
    const here = glued ?? (flag.bare ? 'true' : undefined);
    if (here === undefined) at += 1;
    const word = here ?? argv[at];
    if (word === undefined) throw new ConfigError(`flag needs an argument: ${name}`);
    words.set(flag.name, [...(words.get(flag.name) ?? []), word]);
  }
  return words;
}

function named<Value>(flag: string, words: readonly string[], read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const shown = flags.get(`--${flag}`)?.shown ?? flag;
    const given = words.join(' ');
    throw new ConfigError(`invalid argument "${given}" for "${shown}" flag: ${error.message}`);
  }
}

/**
 * Reads the arguments after the program's name; throws `ConfigError` on the first that is wrong.
 */
export function parseFlags(argv: readonly string[]): CommandLine {
  const words = collect(argv);
  const settings: Settings = {};
  for (const [key, spec] of optionSpecs) {
    const given = spec.flag === undefined ? undefined : words.get(spec.flag);
    if (given === undefined || spec.flag === undefined) continue;
    // The kind named in the option's own spec gives the type that Settings has for its key.
    settings[key] = named(spec.flag, given, () => kinds[spec.kind].fromFlag(given)) as never;
  }
  const isSet = (name: string): boolean => {
    const given = words.get(name);
    return given !== undefined && named(name, given, () => kinds.boolean.fromFlag(given));
  };
  return {
    settings,
    configFile: words.get('config-file')?.at(-1),
    validate: isSet('validate'),
    help: isSet('help'),
    version: isSet('version'),
  };
}
