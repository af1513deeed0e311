/**
 * Image references, as Docker reads and shows them. Pure.
 *
 *     [domain/]path[:tag][@digest]        "busybox" = docker.io/library/busybox, :latest understood
 */
import { invalidParameter } from '../../api-spec/errors.js';

/** A reference in full: the domain is always there, `library/` too. */
export interface Reference {
  /** `docker.io`, `localhost:5000` */
  readonly domain: string;
  /** `library/busybox` */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: string;
}

const domainComponent = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const domainName = `(?:${domainComponent}(?:\\.${domainComponent})*|\\[[a-fA-F0-9:]+\\])`;
const pathComponent = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const digestSyntax = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}';
const tagSyntax = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}';

const domainPattern = new RegExp(`^${domainName}(?::[0-9]+)?$`);
const remainderPattern = new RegExp(
  `^(${pathComponent}(?:/${pathComponent})*)(?::(${tagSyntax}))?(?:@(${digestSyntax}))?$`,
);
const tagPattern = new RegExp(`^${tagSyntax}$`);
const identifier = /^[a-f0-9]{64}$/;

/** Longest `domain/path`, as Docker bounds it; far longer input is refused before any pattern. */
const maxNameLength = 255;
const maxReferenceLength = 4096;

const invalidFormat = 'invalid reference format';

/** Reads what a user wrote; `ApiError` 400 in Docker's words. No tag is added. */
export function parseReference(text: string): Reference {
  if (text.length > maxReferenceLength) throw invalidParameter(invalidFormat);
  if (identifier.test(text)) {
    throw invalidParameter(
      `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`,
    );
  }
  const { domain, remainder } = splitDomain(text);
  const name = remainder.split(':', 1)[0] ?? '';
  const path = name.split('@', 1)[0] ?? '';
  if (path.toLowerCase() !== path) {
    throw invalidParameter(`${invalidFormat}: repository name (${path}) must be lowercase`);
  }
  const match = remainderPattern.exec(remainder);
  if (match === null || !domainPattern.test(domain)) throw invalidParameter(invalidFormat);
  const [, repository = '', tag, digest] = match;
  if (`${domain}/${repository}`.length > maxNameLength) {
    throw invalidParameter(`repository name must not be more than ${maxNameLength} characters`);
  }
  if (digest !== undefined) checkDigest(digest);
  return {
    domain,
    path: repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** `latest` where neither a tag nor a digest was given. */
export function withDefaultTag(reference: Reference): Reference {
  if (reference.tag !== undefined || reference.digest !== undefined) return reference;
  return { ...reference, tag: 'latest' };
}

/** The same repository under another tag; 400 when it is not one. */
export function withTag(reference: Reference, tag: string): Reference {
  if (!tagPattern.test(tag)) throw invalidParameter('invalid tag format');
  return { domain: reference.domain, path: reference.path, tag };
}

/** The same repository at a digest; 400 when it is not one. */
export function withDigest(reference: Reference, digest: string): Reference {
  checkDigest(digest);
  return { domain: reference.domain, path: reference.path, digest };
}

/** `docker.io/library/busybox`: how repositories are kept. */
export function repositoryOf(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** `docker.io/library/busybox:1`: how references are kept. */
export function fullName(reference: Reference): string {
  return repositoryOf(reference) + suffixOf(reference);
}

/** `busybox`: how a repository is shown. */
export function familiarRepository(reference: Reference): string {
  if (reference.domain !== 'docker.io') return repositoryOf(reference);
  const short = /^library\/([^/]+)$/.exec(reference.path);
  return short?.[1] ?? reference.path;
}

/** `busybox:1`: how a reference is shown. */
export function familiarName(reference: Reference): string {
  return familiarRepository(reference) + suffixOf(reference);
}

/** A whole id, with or without `sha256:`, as `sha256:<hex>`; undefined for anything else. */
export function parseImageId(text: string): string | undefined {
  if (identifier.test(text)) return `sha256:${text}`;
  return /^sha256:[a-f0-9]{64}$/.test(text) ? text : undefined;
}

function suffixOf(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  return tag + (reference.digest === undefined ? '' : `@${reference.digest}`);
}

/** A first part without dot, colon or capital is a folder of Docker Hub, not a host. */
function splitDomain(text: string): { domain: string; remainder: string } {
  const slash = text.indexOf('/');
  const first = slash < 0 ? '' : text.slice(0, slash);
  const isHost = /[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first;
  const named = slash >= 0 && isHost;
  const host = named ? first : 'docker.io';
  const domain = host === 'index.docker.io' ? 'docker.io' : host;
  const rest = named ? text.slice(slash + 1) : text;
  const official = domain === 'docker.io' && !rest.includes('/');
  return { domain, remainder: official ? `library/${rest}` : rest };
}

const digestLengths: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

function checkDigest(digest: string): void {
  const [algorithm = '', hex = ''] = digest.split(':', 2);
  const length = digestLengths[algorithm];
  if (length === undefined) throw invalidParameter('unsupported digest algorithm');
  if (hex.length !== length) throw invalidParameter('invalid checksum digest length');
  if (!/^[a-f0-9]+$/.test(hex)) throw invalidParameter('invalid checksum digest format');
}
