/**
 * The front of a url: the version prefix is cut off and remembered, and a name that contains `/`
 * is percent-encoded, because the router's parameters never span one.
 */
import type { IncomingMessage } from 'node:http';
import { invalidParameter } from '../../api-spec/errors.js';
import { maxMinor, minMinor, versionText } from '../../api-spec/versions.js';

interface AskedVersion {
  readonly text: string;
  readonly major: number;
  readonly minor: number;
}

const asked = new WeakMap<IncomingMessage, AskedVersion>();

/** Returns the url to route by, and remembers the version that the request asked for. */
export function rewriteUrl(request: IncomingMessage): string {
  const url = request.url ?? '/';
  const version = /^\/v(\d+)(?:\.(\d+))?(?:\.\d+)*(?=\/)/.exec(url);
  if (version === null) return encodeName(request.method ?? 'GET', url);
  const [prefix, major = '0', minor = '0'] = version;
  asked.set(request, { text: prefix.slice(2), major: Number(major), minor: Number(minor) });
  return encodeName(request.method ?? 'GET', url.slice(prefix.length));
}

/**
 * The minor of the API version that the request speaks: what it asked for, else the highest.
 * Throws `ApiError` 400 in Docker's words when that is not spoken.
 */
export function apiMinorOf(request: IncomingMessage): number {
  const version = asked.get(request);
  if (version === undefined) return maxMinor;
  if (version.major < 1 || (version.major === 1 && version.minor < minMinor)) {
    throw invalidParameter(
      `client version ${version.text} is too old. Minimum supported API version is ` +
        `${versionText(minMinor)}, please upgrade your client to a newer version`,
    );
  }
  if (version.major > 1 || version.minor > maxMinor) {
    throw invalidParameter(
      `client version ${version.text} is too new. Maximum supported API version is ` +
        versionText(maxMinor),
    );
  }
  return version.minor;
}

/** What may follow a name, by what comes before it and by method; the empty one comes last. */
const verbs: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  images: {
    GET: ['/json', '/history', '/get', '/attestations'],
    POST: ['/push', '/tag'],
    DELETE: [''],
  },
  distribution: { GET: ['/json'] },
  containers: {
    GET: [
      '/json',
      '/top',
      '/logs',
      '/changes',
      '/export',
      '/stats',
      '/attach/ws',
      '/archive',
      '/checkpoints',
    ],
    HEAD: ['/archive'],
    PUT: ['/archive'],
    POST: [
      '/start',
      '/stop',
      '/restart',
      '/kill',
      '/wait',
      '/attach',
      '/resize',
      '/rename',
      '/update',
      '/pause',
      '/unpause',
      '/exec',
      '/checkpoints',
    ],
    DELETE: [''],
  },
  exec: { GET: ['/json'], POST: ['/start', '/resize'] },
  volumes: { GET: [''], PUT: [''], DELETE: [''] },
  networks: { GET: [''], DELETE: [''], POST: ['/connect', '/disconnect'] },
  plugins: {
    GET: ['/json'],
    POST: ['/enable', '/disable', '/upgrade', '/push', '/set'],
    DELETE: [''],
  },
};

/** What follows a container's name, and has a name of its own. */
const checkpointOf = /^\/containers\/[^/]+\/checkpoints\/[^/?]+(\?.*)?$/s;

const named = /^\/([a-z]+)\/([^?]+)(\?.*)?$/s;

function encodeName(method: string, url: string): string {
  if (/^\/networks\/(?:\?|$)/.test(url)) return url.replace('/networks/', '/networks');
  if (checkpointOf.test(url)) return url;
  const match = named.exec(url);
  const [, prefix = '', rest = '', query = ''] = match ?? [];
  if (!rest.includes('/')) return url;
  const suffix = verbs[prefix]?.[method]?.find((verb) => rest.endsWith(verb));
  if (suffix === undefined) return url;
  const name = rest.slice(0, rest.length - suffix.length);
  return name.includes('/') ? `/${prefix}/${name.replaceAll('/', '%2F')}${suffix}${query}` : url;
}
