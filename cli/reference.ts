import { CommandError } from './errors.js';

/** An image's name, taken apart; `domain` and `path` are the full ones. */
export interface ImageName {
  readonly domain: string;
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const grammar = new RegExp(
  `^(${component}(?:/${component})*)` +
    '(?::(\\w[\\w.-]{0,127}))?' +
    '(?:@([a-z0-9+._-]+:[0-9a-f]{32,}))?$',
);

/** Reads `ubuntu`, `host:5000/a/b:tag`, `name@sha256:…`. Throws CommandError. */
export function parseImageName(text: string): ImageName {
  const { domain, rest } = splitDomain(text);
  const inHub = (name: string): string =>
    domain === 'docker.io' && !name.includes('/') ? `library/${name}` : name;
  const repository = rest.replace(/[:@].*$/, '');
  if (/[A-Z]/.test(repository)) {
    const shown = `repository name (${inHub(repository)})`;
    throw new CommandError(`invalid reference format: ${shown} must be lowercase`);
  }
  const parts = grammar.exec(rest);
  if (parts === null) throw new CommandError('invalid reference format');
  return { domain, path: inHub(parts[1] ?? ''), tag: parts[2], digest: parts[3] };
}

/** What stands before the first slash is a registry if it looks like a host. */
function splitDomain(text: string): { readonly domain: string; readonly rest: string } {
  const slash = text.indexOf('/');
  const first = slash < 0 ? '' : text.slice(0, slash);
  if (first !== 'localhost' && !/[.:A-Z]/.test(first)) return { domain: 'docker.io', rest: text };
  const domain = first === 'index.docker.io' ? 'docker.io' : first;
  return { domain, rest: text.slice(slash + 1) };
}

/** The name as people write it: no `docker.io/library/`. */
export function familiarName({ domain, path }: ImageName): string {
  if (domain !== 'docker.io') return `${domain}/${path}`;
  return path.startsWith('library/') ? path.slice('library/'.length) : path;
}

/** The registry that an image name points at: `docker.io` for the short ones. */
export function registryOf(image: string): string {
  return parseImageName(image).domain;
}

/** The name with `:latest` when it has neither tag nor digest, in its familiar form. */
export function withDefaultTag(name: ImageName): string {
  const tag = name.tag === undefined && name.digest === undefined ? 'latest' : name.tag;
  return `${familiarName(name)}${suffix(tag, name.digest)}`;
}

/** The full name with domain, tag and digest. */
export function fullName(name: ImageName): string {
  const tag = name.tag === undefined && name.digest === undefined ? 'latest' : name.tag;
  return `${name.domain}/${name.path}${suffix(tag, name.digest)}`;
}

function suffix(tag: string | undefined, digest: string | undefined): string {
  return `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}
