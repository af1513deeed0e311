import type { LogOptions } from './options.js';
import { tagOf, type TaggedContainer } from './tag.js';

type Words = Readonly<Record<string, string>>;

const split = (list: string | undefined): readonly string[] =>
  list === undefined
    ? []
    : list
        .split(',')
        .map((word) => word.trim())
        .filter((word) => word !== '');

function pick(values: Words, names: readonly string[], pattern: string | undefined): Words {
  const regex = pattern === undefined || pattern === '' ? undefined : new RegExp(pattern);
  const wanted = new Set(names);
  return Object.fromEntries(
    Object.entries(values).filter(([name]) => wanted.has(name) || regex?.test(name) === true),
  );
}

/** What the options `labels`, `labels-regex`, `env` and `env-regex` ask for. */
export function extraAttributes(options: LogOptions, { config }: TaggedContainer): Words {
  const env = Object.fromEntries(
    (config.Env ?? []).map((entry) => {
      const at = entry.indexOf('=');
      return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
  return {
    ...pick(config.Labels ?? {}, split(options.labels), options['labels-regex']),
    ...pick(env, split(options.env), options['env-regex']),
  };
}

/** What is added to each line of a json-file, its tag among it; undefined for nothing. */
export function logAttributes(options: LogOptions, container: TaggedContainer): Words | undefined {
  const tag = options.tag ?? '';
  const attributes = {
    ...extraAttributes(options, container),
    ...(tag === '' ? {} : { tag: tagOf(tag, container) }),
  };
  return Object.keys(attributes).length === 0 ? undefined : attributes;
}
