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

/**
 * What the log options `labels`, `labels-regex`, `env`, `env-regex` and `tag` add to each line;
 * undefined when they add nothing. A tag is kept as written, without Docker's templates.
 */
export function logAttributes(
  options: Words,
  container: { readonly labels: Words; readonly env: readonly string[] },
): Words | undefined {
  const env = Object.fromEntries(
    container.env.map((entry) => {
      const at = entry.indexOf('=');
      return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
  const attributes = {
    ...pick(container.labels, split(options.labels), options['labels-regex']),
    ...pick(env, split(options.env), options['env-regex']),
    ...(options.tag === undefined || options.tag === '' ? {} : { tag: options.tag }),
  };
  return Object.keys(attributes).length === 0 ? undefined : attributes;
}
