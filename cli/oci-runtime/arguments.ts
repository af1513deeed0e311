/** `tsdocker-runtime [global flags] command [flags] arguments`. Pure. */
import { parseArgs } from 'node:util';
import { OciError } from './oci-error.js';

/** What a flag is: a value, or there or not. */
export type Flags = Readonly<
  Record<
    string,
    {
      readonly type: 'string' | 'boolean';
      readonly short?: string;
      readonly multiple?: true;
      /** Between programs of ours: help does not show it. */
      readonly hidden?: true;
    }
  >
>;

/** Flags that stand before the command, by the names that runc gave them. */
export const globalFlags: Flags = {
  root: { type: 'string' },
  log: { type: 'string' },
  'log-format': { type: 'string' },
  'cgroup-manager': { type: 'string' },
  'systemd-cgroup': { type: 'boolean' },
  debug: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
};

/** The flags that were given. */
export interface Given {
  readonly text: (name: string) => string | undefined;
  readonly truth: (name: string) => boolean;
  /** Of a flag that may be given more than once. */
  readonly list: (name: string) => readonly string[];
  readonly words: readonly string[];
}

/** Throws `OciError` for flags that nobody knows. */
export function parseFlags(flags: Flags, args: readonly string[]): Given {
  try {
    const { values, positionals } = parseArgs({
      args: args.map(asLong), options: flags, allowPositionals: true, strict: true,
    });
    return {
      words: positionals,
      truth: (name) => values[name] === true,
      list: (name) => [values[name] ?? []].flat().map(String),
      text: (name) => {
        const value = values[name];
        return typeof value === 'string' ? value : undefined;
      },
    };
  } catch (error) {
    throw new OciError(error instanceof Error ? error.message : String(error), error);
  }
}

/** Go's flags may be written with one dash. */
const asLong = (arg: string): string => (/^-[a-z][a-z-]+(=|$)/.test(arg) ? `-${arg}` : arg);

/** The arguments parted at the command's name; `rest` is not looked at yet. */
export interface CommandLine {
  readonly global: Given;
  /** Absent when there is none. */
  readonly command?: string;
  readonly rest: readonly string[];
}

/** Throws `OciError`. */
export function splitCommandLine(args: readonly string[]): CommandLine {
  const at = firstWord(globalFlags, args);
  const command = args[at];
  return {
    global: parseFlags(globalFlags, args.slice(0, at)),
    ...(command === undefined ? {} : { command }),
    rest: args.slice(at + 1),
  };
}

/** Where the first argument stands that is neither a flag nor the value of one. */
export function firstWord(flags: Flags, args: readonly string[]): number {
  let at = 0;
  while (at < args.length && (args[at] ?? '').startsWith('-') && args[at] !== '--') {
    const name = (args[at] ?? '').replace(/^--?/, '');
    const long = Object.entries(flags).find(([each, { short }]) => each === name || short === name);
    at += long?.[1].type === 'string' ? 2 : 1;
  }
  return at;
}
