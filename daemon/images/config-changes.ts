/** Dockerfile instructions that change a config and run nothing: `import`, `commit`. Pure. */
import type { ContainerConfig } from '../../api-spec/index.js';
import { invalidParameter } from '../../api-spec/errors.js';
import type { HealthOf } from './needs.js';

type Config = Partial<ContainerConfig>;
type Apply = (config: Config, text: string) => Config;

/** `config` with `changes` made in order; 400 in Docker's words for what is none. */
export function applyChanges(
  config: Config,
  changes: readonly string[],
  healthOf: HealthOf,
): Config {
  return changes.reduce((current, line) => {
    const [, word = '', text = ''] = /^\s*(\S+)\s*([\s\S]*)$/.exec(line) ?? [];
    if (word === '') return current;
    const apply = word.toUpperCase() === 'HEALTHCHECK'
      ? healthcheck(healthOf)
      : instructions[word.toUpperCase()];
    if (apply === undefined) {
      throw invalidParameter(`${word} is not a valid change command`);
    }
    if (text.trim() === '')
      throw invalidParameter(`${word.toUpperCase()} requires at least one argument`);
    return apply(current, text.trim());
  }, config);
}

const healthcheck = (healthOf: HealthOf): Apply => (config, text) => {
  const health = healthOf(text);
  return { ...config, ...(health === undefined ? {} : { Healthcheck: health }) };
};

const instructions: Readonly<Record<string, Apply>> = {
  CMD: (config, text) => ({ ...config, Cmd: commandOf(text) }),
  ENTRYPOINT: (config, text) => ({ ...config, Entrypoint: commandOf(text) }),
  ENV: (config, text) => ({
    ...config,
    Env: pairsOf('ENV', text).reduce(withVariable, config.Env ?? []),
  }),
  EXPOSE: (config, text) => ({
    ...config,
    ExposedPorts: { ...config.ExposedPorts, ...setOf(words(text).map(portOf)) },
  }),
  LABEL: (config, text) => ({
    ...config,
    Labels: { ...config.Labels, ...Object.fromEntries(pairsOf('LABEL', text)) },
  }),
  ONBUILD: (config, text) => ({ ...config, OnBuild: [...(config.OnBuild ?? []), text] }),
  STOPSIGNAL: (config, text) => ({ ...config, StopSignal: text }),
  USER: (config, text) => ({ ...config, User: text }),
  VOLUME: (config, text) => ({
    ...config,
    Volumes: { ...config.Volumes, ...setOf(jsonWords(text) ?? words(text)) },
  }),
  WORKDIR: (config, text) => ({
    ...config,
    WorkingDir: text.startsWith('/') ? text : `${config.WorkingDir ?? ''}/${text}`,
  }),
};

/** The JSON form is taken as it is; anything else is for the shell. */
function commandOf(text: string): readonly string[] {
  return jsonWords(text) ?? ['/bin/sh', '-c', text];
}

function jsonWords(text: string): readonly string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    const isWords = Array.isArray(parsed) && parsed.every((word) => typeof word === 'string');
    return isWords ? parsed : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function portOf(text: string): string {
  const match = /^(\d{1,5}(?:-\d{1,5})?)(?:\/(tcp|udp|sctp))?$/i.exec(text);
  if (match === null) throw invalidParameter(`invalid containerPort: ${text}`);
  return `${match[1]}/${(match[2] ?? 'tcp').toLowerCase()}`;
}

function setOf(keys: readonly string[]): Readonly<Record<string, Record<string, never>>> {
  return Object.fromEntries(keys.map((key) => [key, {}]));
}

function withVariable(
  env: readonly string[],
  [name, value]: readonly [string, string],
): readonly string[] {
  const kept = env.filter((entry) => !entry.startsWith(`${name}=`));
  return [...kept, `${name}=${value}`];
}

/** `a=b "c=d e"` or the old `name the rest`. */
function pairsOf(word: string, text: string): readonly (readonly [string, string])[] {
  const [first = '', ...rest] = words(text);
  if (!first.includes('=')) {
    if (rest.length === 0) throw invalidParameter(`${word} must have two arguments`);
    const [, name = '', value = ''] = /^(\S+)\s+([\s\S]*)$/.exec(text) ?? [];
    return [[name, value]];
  }
  return [first, ...rest].map((pair) => {
    const equals = pair.indexOf('=');
    if (equals <= 0) {
      throw invalidParameter(
        `Syntax error - can't find = in ${JSON.stringify(pair)}. Must be of the form: name=value`,
      );
    }
    return [pair.slice(0, equals), pair.slice(equals + 1)];
  });
}

/** Words as a shell would part them, quotes and backslashes taken away. */
function words(text: string): readonly string[] {
  const found = text.match(/(?:\\[\s\S]|"(?:\\[\s\S]|[^"\\])*"|'[^']*'|[^\s"'\\])+/g) ?? [];
  return found.map((word) =>
    word.replace(/\\([\s\S])|"((?:\\[\s\S]|[^"\\])*)"|'([^']*)'/g, (_, escaped, double, single) =>
      String(escaped ?? single ?? String(double).replace(/\\([\\"$])/g, '$1')),
    ),
  );
}
