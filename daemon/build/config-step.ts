/** The instructions that change a config and no file: what they make of it, and their history. */
import { invalidParameter } from '../../api-spec/errors.js';
import { durationText } from './dockerfile/duration.js';
import { expandWord, expandWords, type ExpandOptions } from './dockerfile/expand.js';
import type {
  Command,
  CommandInstruction,
  HealthcheckInstruction,
  OnbuildInstruction,
  PairsInstruction,
  TextInstruction,
  WordsInstruction,
} from './dockerfile/instruction.js';
import { healthOf } from './healthcheck.js';
import type { RunConfig, StageState } from './state.js';

/** What an instruction of this kind does. */
export interface ConfigChange {
  readonly config: RunConfig;
  /** As the history shows it, after the shell's `#(nop)`. */
  readonly comment: string;
  readonly author?: string;
  readonly cmdIsOwn?: boolean;
  /** Lines that Docker says about it. */
  readonly notes?: readonly string[];
}

/** Those that need nothing but the state. */
export type ConfigInstruction =
  | CommandInstruction
  | HealthcheckInstruction
  | OnbuildInstruction
  | PairsInstruction
  | TextInstruction
  | WordsInstruction;

const defaultShell = ['/bin/sh', '-c'];

/** What shell forms are given to. */
export function shellOf({ Shell: shell }: RunConfig): readonly string[] {
  return shell === undefined || shell.length === 0 ? defaultShell : shell;
}

/** A command as a process gets it. */
export function wordsOf(command: Command, config: RunConfig): readonly string[] {
  if (command.form === 'exec') return command.words;
  return command.line === '' ? shellOf(config) : [...shellOf(config), command.line];
}

/** The history of an instruction that runs nothing. */
export function nopText(config: RunConfig, comment: string): string {
  return `${shellOf(config).join(' ')} #(nop)  ${comment}`;
}

/** What an instruction makes of the config; `WORKDIR` of the folder it wants, made elsewhere. */
export function changeConfig(
  state: StageState,
  instruction: ConfigInstruction,
  options: ExpandOptions,
): ConfigChange {
  if ('pairs' in instruction) return changePairs(state.config, instruction, options);
  if ('words' in instruction) return changeWords(state.config, instruction, options);
  if ('value' in instruction) return changeText(state.config, instruction, options);
  switch (instruction.kind) {
    case 'CMD':
    case 'ENTRYPOINT':
      return changeCommand(state, instruction);
    case 'ONBUILD':
      return changeOnbuild(state.config, instruction);
    case 'HEALTHCHECK':
      return changeHealth(state.config, instruction);
  }
}

function changePairs(
  config: RunConfig,
  { kind, pairs, literal }: PairsInstruction,
  options: ExpandOptions,
): ConfigChange {
  const expand = (word: string): string => (literal === true ? word : expandWord(word, options));
  const expanded = pairs.map(({ name, value }) => [expand(name), expand(value)] as const);
  const comment = [kind, ...expanded.map(([name, value]) => `${name}=${value}`)].join(' ');
  if (kind === 'LABEL') {
    const labels = { ...config.Labels, ...Object.fromEntries(expanded) };
    return { config: { ...config, Labels: labels }, comment };
  }
  const env = expanded.reduce(withVariable, config.Env ?? []);
  return { config: { ...config, Env: env }, comment };
}

/** A variable keeps its place. */
function withVariable(
  env: readonly string[],
  [name, value]: readonly [string, string],
): readonly string[] {
  const at = env.findIndex((entry) => entry.split('=', 1)[0] === name);
  return at < 0 ? [...env, `${name}=${value}`] : env.with(at, `${name}=${value}`);
}

function changeCommand(state: StageState, { kind, command }: CommandInstruction): ConfigChange {
  const { config } = state;
  const isEmpty = command.form === 'shell' ? command.line === '' : command.words.length === 0;
  const words = isEmpty ? undefined : wordsOf(command, config);
  const comment = `${kind} [${(words ?? []).map((word) => JSON.stringify(word)).join(' ')}]`;
  if (kind === 'CMD') {
    return { config: withField(config, 'Cmd', words), comment, cmdIsOwn: !isEmpty };
  }
  const cleared = state.cmdIsOwn ? config : withField(config, 'Cmd', undefined);
  return { config: withField(cleared, 'Entrypoint', words), comment };
}

function withField(
  config: RunConfig,
  field: 'Cmd' | 'Entrypoint',
  words: readonly string[] | undefined,
): RunConfig {
  return { ...without(config, field), ...(words === undefined ? {} : { [field]: words }) };
}

/** A config that says nothing of these fields. */
export function without(config: RunConfig, ...fields: readonly string[]): RunConfig {
  return Object.fromEntries(Object.entries(config).filter(([name]) => !fields.includes(name)));
}

function changeWords(
  config: RunConfig,
  { kind, words }: WordsInstruction,
  options: ExpandOptions,
): ConfigChange {
  if (kind === 'SHELL') {
    return { config: { ...config, Shell: words }, comment: `SHELL [${words.join(' ')}]` };
  }
  if (kind === 'EXPOSE') {
    // In any order they are the same step.
    const ports = [...words].sort().flatMap((word) => expandWords(word, options));
    const exposed = { ...config.ExposedPorts, ...setOf(ports.flatMap(portsOf)) };
    return { config: { ...config, ExposedPorts: exposed }, comment: `EXPOSE ${ports.join(' ')}` };
  }
  const paths = words.flatMap((word) => expandWords(word, options));
  if (paths.some((path) => path === '')) {
    throw invalidParameter('VOLUME specified can not be an empty string');
  }
  const volumes = { ...config.Volumes, ...setOf(paths) };
  return { config: { ...config, Volumes: volumes }, comment: `VOLUME [${paths.join(' ')}]` };
}

function setOf(keys: readonly string[]): Readonly<Record<string, Record<string, never>>> {
  return Object.fromEntries(keys.map((key) => [key, {}]));
}

/** A published port may be written in front; it says nothing here. */
function portsOf(word: string): readonly string[] {
  const [ports = '', protocol = 'tcp'] = word.split('/');
  if (!['tcp', 'udp', 'sctp'].includes(protocol.toLowerCase())) {
    throw invalidParameter(`Invalid proto: ${protocol}`);
  }
  const inside = ports.slice(ports.lastIndexOf(':') + 1);
  const [, low, high = low] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(inside) ?? [];
  const [first, last] = [Number(low), Number(high)];
  if (low === undefined || first > last || last > 65535) {
    throw invalidParameter(`Invalid containerPort: ${inside}`);
  }
  return Array.from(
    { length: last - first + 1 },
    (_, offset) => `${first + offset}/${protocol.toLowerCase()}`,
  );
}

function changeText(
  config: RunConfig,
  { kind, value }: TextInstruction,
  options: ExpandOptions,
): ConfigChange {
  if (kind === 'MAINTAINER') return { config, comment: `MAINTAINER ${value}`, author: value };
  const text = expandWord(value, options);
  switch (kind) {
    case 'STOPSIGNAL':
      return { config: { ...config, StopSignal: text }, comment: `STOPSIGNAL ${text}` };
    case 'USER':
      return { config: { ...config, User: text }, comment: `USER ${text}` };
    case 'WORKDIR': {
      const folder = workdirOf(config.WorkingDir ?? '', text);
      return { config: { ...config, WorkingDir: folder }, comment: `WORKDIR ${folder}` };
    }
  }
}

/** An absolute path without `.`, `..` or double slashes. */
export function workdirOf(current: string, wanted: string): string {
  if (wanted === '') throw invalidParameter('cannot normalize nothing');
  const joined = wanted.startsWith('/') ? wanted : `${current}/${wanted}`;
  const parts: string[] = [];
  for (const part of joined.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  return `/${parts.join('/')}`;
}

function changeOnbuild(config: RunConfig, { trigger }: OnbuildInstruction): ConfigChange {
  const onbuild = [...(config.OnBuild ?? []), trigger];
  return { config: { ...config, OnBuild: onbuild }, comment: `ONBUILD ${trigger}` };
}

function changeHealth(config: RunConfig, instruction: HealthcheckInstruction): ConfigChange {
  const { intervalNs, timeoutNs, startPeriodNs, startIntervalNs, retries } = instruction;
  const health = healthOf(instruction);
  const shown = [
    `[${(health.Test ?? []).map((word) => JSON.stringify(word)).join(' ')}]`,
    ...[intervalNs, timeoutNs, startPeriodNs, startIntervalNs].map(
      (ns) => `"${durationText(ns)}"`,
    ),
    goRune(retries),
  ].join(' ');
  const before = config.Healthcheck?.Test ?? [];
  return {
    config: { ...config, Healthcheck: health },
    comment: `HEALTHCHECK &{${shown}}`,
    ...(before.length === 0 || before[0] === 'NONE'
      ? {}
      : { notes: [`Note: overriding previous HEALTHCHECK: [${before.join(' ')}]\n`] }),
  };
}


/** Go shows the retries as a character. */
function goRune(code: number): string {
  const named: Readonly<Record<number, string>> = {
    7: '\\a',
    8: '\\b',
    9: '\\t',
    10: '\\n',
    11: '\\v',
    12: '\\f',
    13: '\\r',
    39: "\\'",
    92: '\\\\',
  };
  const short = named[code];
  if (short !== undefined) return `'${short}'`;
  if (code >= 32 && code < 127) return `'${String.fromCodePoint(code)}'`;
  return `'\\x${code.toString(16).padStart(2, '0')}'`;
}
