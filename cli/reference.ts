import { CommandError } from './errors.js';

/** An image's name, taken apart; `domain` and `path` are the full ones. */
export interface ImageName {
  readonly domain: string;
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const grammar =
  /^((?:[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*\/?)+)(?::([\w][\w.-]{0,127}))?(?:@([a-z0-9+._-]+:[0-9a-f]{32,}))?$/;

/** Reads `ubuntu`, `host:5000/a/b:tag`, `name@sha256:…`. Throws CommandError. */
export function parseImageName(text: string): ImageName {
  const slash = text.indexOf('/');
  const first = slash < 0 ? '' : text.slice(0, slash);
  const isDomain = /[.:]/.test(first) || first === 'localhost' || /[A-Z]/.test(first);
  const domain = isDomain ? first : 'docker.io';
  const rest = isDomain ? text.slice(slash + 1) : text;
  const repository = rest.replace(/[:@].*$/, '');
  if (/[A-Z]/.test(repository)) {
    const shown = isDomain || repository.includes('/') ? repository : `library/${repository}`;
    throw new CommandError(`invalid reference format: repository name (${shown}) must be lowercase`);
  }
  const parts = grammar.exec(rest);
  if (parts === null || (parts[1] ?? '').endsWith('/')) {
    throw new CommandError('invalid reference format');
  }
  const name = parts[1] ?? '';
  const isHub = domain === 'docker.io' || domain === 'index.docker.io';
  return {
    domain: isHub ? 'docker.io' : domain,
    path: isHub && !name.includes('/') ? `library/${name}` : name,
    tag: parts[2],
    digest: parts[3],
  };
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
