/** Platforms: read, compared, and chosen from an index. Pure. */
import { invalidParameter } from '../../api-spec/errors.js';
import { isObject, parseJson } from './registry-error.js';

/** What an image runs on, in OCI's words. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

const aliases: Readonly<Record<string, readonly [string, string?]>> = {
  x86_64: ['amd64'],
  'x86-64': ['amd64'],
  i386: ['386'],
  i486: ['386'],
  i586: ['386'],
  i686: ['386'],
  aarch64: ['arm64'],
  armhf: ['arm', 'v7'],
  armel: ['arm', 'v6'],
};

const machineNames: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le',
  mipsel: 'mipsle',
};

/** The platform of this program. */
export function hostPlatform(): Platform {
  const architecture = machineNames[process.arch] ?? process.arch;
  return normalize({ os: 'linux', architecture });
}

/** Reads `os[/arch[/variant]]` or `arch`; 400 in Docker's words. */
export function parsePlatform(text: string): Platform {
  const parts = text.split('/');
  const wellFormed = parts.length <= 3 && parts.every((part) => /^[A-Za-z0-9_.-]+$/.test(part));
  if (!wellFormed) {
    throw invalidParameter(
      `${JSON.stringify(text)}: cannot parse platform specifier: invalid argument`,
    );
  }
  const [first = '', second, variant] = parts.map((part) => part.toLowerCase());
  if (second === undefined) {
    const isOs = ['linux', 'windows', 'darwin', 'freebsd'].includes(first);
    return isOs
      ? { ...hostPlatform(), os: first }
      : normalize({ os: 'linux', architecture: first });
  }
  return normalize({
    os: first,
    architecture: second,
    ...(variant === undefined ? {} : { variant }),
  });
}

/** Reads an OCI platform as JSON, as newer clients send it; 400 for what is none. */
export function parsePlatformJson(text: string): Platform {
  const parsed = parseJson(text);
  if (!isObject(parsed)) throw invalidParameter(`invalid platform ${JSON.stringify(text)}`);
  const { os, architecture, variant } = parsed;
  const parts = [os, architecture, variant].filter(
    (part) => typeof part === 'string' && part !== '',
  );
  return parsePlatform(parts.join('/'));
}

/** One spelling for each platform: `aarch64` is `arm64`, `arm64/v8` is plain, `arm` is `arm/v7`. */
export function normalize({ os, architecture: given, variant: wish }: Platform): Platform {
  const [architecture, implied] = aliases[given] ?? [given];
  const named = wish === '' ? implied : (wish ?? implied);
  const variant = named?.replace(/^(?=\d$)/, 'v') ?? (architecture === 'arm' ? 'v7' : undefined);
  const isPlain = variant === undefined || variant === plainVariants[architecture];
  return { os, architecture, ...(isPlain ? {} : { variant }) };
}

/** Not written down where it is all that there is without. */
const plainVariants: Readonly<Record<string, string>> = { amd64: 'v1', arm64: 'v8' };

/** `linux/arm/v7`. */
export function platformName(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

/** Whether an image for `actual` is what was asked for with `wanted`. */
export function satisfies(wanted: Platform, actual: Platform): boolean {
  return rank(normalize(wanted), normalize(actual)) !== undefined;
}

/**
 * How well `actual` serves `wanted`, 0 the best; undefined when it cannot run there. A higher
 * level of arm or amd64 runs what was made for the lower ones.
 */
function rank(wanted: Platform, actual: Platform): number | undefined {
  if (wanted.os !== actual.os || wanted.architecture !== actual.architecture) return undefined;
  const distance = level(wanted) - level(actual);
  if (Number.isNaN(distance)) return wanted.variant === actual.variant ? 0 : undefined;
  return distance < 0 ? undefined : distance;
}

const plainLevels: Readonly<Record<string, number>> = { amd64: 1, arm64: 8, arm: 7 };

function level({ architecture, variant }: Platform): number {
  if (variant === undefined) return plainLevels[architecture] ?? 0;
  return Number(/^v(\d+)$/.exec(variant)?.[1] ?? Number.NaN);
}

/** The best of `candidates`, the first among equals. */
export function choosePlatform<T extends { readonly platform: Platform | undefined }>(
  wanted: Platform,
  candidates: readonly T[],
): T | undefined {
  const target = normalize(wanted);
  let best: { candidate: T; rank: number } | undefined;
  for (const candidate of candidates) {
    if (candidate.platform === undefined) continue;
    const found = rank(target, normalize(candidate.platform));
    if (found !== undefined && (best === undefined || found < best.rank)) {
      best = { candidate, rank: found };
    }
  }
  return best?.candidate;
}
