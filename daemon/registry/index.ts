/**
 * The client side of the distribution protocol.
 *
 *     Registry ─open(repository)─► Repository ─► Endpoint (mirror …, registry) ─► Transport
 *
 * An `Endpoint` lives as long as one operation and holds its credentials; the `Transport` with its
 * connections is shared by all and never sees whose request it carries.
 */
import type { AuthConfig, AuthResponse, ImageSearchResponseItem } from '../../api-spec/index.js';
import { insecureHosts } from './addresses.js';
import { Endpoint } from './endpoint.js';
import { logIn } from './login.js';
import { openPushTarget, type PushTarget } from './push-target.js';
import { RegistryError } from './registry-error.js';
import { configuredHosts } from './registry-hosts.js';
import { openRepository, type Repository, type RepositoryEndpoint } from './repository.js';
import { search, type SearchRequest } from './search.js';
import { createTransport, type Transport } from './transport.js';

export { downloadBlob } from './download.js';
export { pullError } from './docker-words.js';
export {
  isIndexType,
  manifestTypes,
  mediaTypes,
  parseManifest,
  type ImageIndex,
  type ImageManifest,
} from './manifest.js';
export {
  choosePlatform,
  hostPlatform,
  parsePlatform,
  parsePlatformJson,
  platformName,
  satisfies,
  type Platform,
} from './platform.js';
export type { ManifestToPut, PushTarget } from './push-target.js';
export { RegistryError } from './registry-error.js';
export type { FetchedManifest, Repository } from './repository.js';
export type { SearchRequest } from './search.js';
export { uploadBlob, type Uploaded } from './upload.js';

/** As in the daemon's flags. */
export interface RegistryOptions {
  /** URLs that are asked before Docker Hub. */
  readonly mirrors: readonly string[];
  /** Hosts and ranges to which TLS is not demanded; loopback is always among them. */
  readonly insecureRegistries: readonly string[];
  /** Default: Docker's folder and ours. */
  readonly certificateDirectories?: readonly string[];
  readonly userAgent: string;
}

/** Where a repository is: `docker.io` and `library/busybox`. */
export interface RepositoryName {
  readonly domain: string;
  readonly path: string;
}

/** The client; one for the daemon's life. */
export interface Registry {
  /** For one operation with one user's credentials; sends nothing yet. */
  open(name: RepositoryName, auth: AuthConfig): Repository;
  /**
   * As `open`, to write to it; `sources` are the paths of other repositories there, from which
   * blobs may be taken. Mirrors are not asked.
   */
  openPush(name: RepositoryName, auth: AuthConfig, sources: readonly string[]): PushTarget;
  /** What Docker Hub, or the registry that the term begins with, finds. */
  search(request: SearchRequest): Promise<readonly ImageSearchResponseItem[]>;
  /** `POST /auth`: tries credentials; `ApiError` in Docker's words when they are refused. */
  logIn(auth: AuthConfig, signal: AbortSignal): Promise<AuthResponse>;
  close(): Promise<void>;
}

/** Folders of certificates, by host. */
export const defaultCertificateDirectories = ['/etc/docker/certs.d', '/etc/tsdocker/certs.d'];

/** Docker Hub's API lives under another name than its images. */
const hubHost = 'registry-1.docker.io';

/** Builds the client; throws on an insecure registry or mirror that cannot be read. */
export function createRegistry(options: RegistryOptions): Registry {
  const mirrors = options.mirrors.map((mirror) => new URL(mirror).href);
  const directories = options.certificateDirectories ?? defaultCertificateDirectories;
  const transport = createTransport({
    insecure: insecureHosts(options.insecureRegistries),
    certificateDirectories: directories,
    userAgent: options.userAgent,
  });
  const opening = { transport, mirrors, directories };
  return {
    open: (name, auth) => {
      const scope = `repository:${name.path}:pull`;
      return openRepository(name.path, () => openEndpoints(opening, { name, auth, scope }));
    },
    openPush: (name, auth, sources) => {
      const scope = [
        `repository:${name.path}:pull,push`,
        ...sources.map((source) => `repository:${source}:pull`),
      ].join(' ');
      return openPushTarget(name.path, async () => {
        const withoutMirrors = { ...opening, mirrors: [] };
        const all = await openEndpoints(withoutMirrors, { name, auth, scope });
        const able = all.find(({ capabilities }) => capabilities.includes('push'));
        if (able !== undefined) return able.endpoint;
        throw new RegistryError(0, 'REFUSED', `no configured host of ${name.domain} takes a push`);
      });
    },
    search: (request) => search(transport, request),
    logIn: (auth, signal) => {
      const configured = async (host: string) => {
        const domain = host === hubHost ? 'docker.io' : host;
        return (await configuredHosts(domain, host, directories))?.at(-1);
      };
      return logIn({ transport, auth, hubHost, configured, signal });
    },
    close: () => transport.close(),
  };
}

interface Opening {
  readonly transport: Transport;
  readonly mirrors: readonly string[];
  readonly directories: readonly string[];
}

interface EndpointWish {
  readonly name: RepositoryName;
  readonly auth: AuthConfig;
  readonly scope: string;
}

/** Where there is a `hosts.toml` it says all that there is to ask; read for each operation. */
async function openEndpoints(
  { transport, mirrors, directories }: Opening,
  { name: { domain }, auth, scope }: EndpointWish,
): Promise<readonly RepositoryEndpoint[]> {
  const own = domain === 'docker.io' ? hubHost : domain;
  const hosts = await configuredHosts(domain, own, directories);
  if (hosts !== undefined) {
    return hosts.map((configured) => {
      // Another party's server gets no credentials of the user's.
      const shown = configured.isTrusted ? auth : {};
      const address = configured.base.host;
      const endpoint = new Endpoint({ transport, address, auth: shown, scope, configured });
      return { endpoint, capabilities: configured.capabilities };
    });
  }
  const others = domain === 'docker.io' ? mirrors : [];
  const everything = ['pull', 'resolve', 'push'] as const;
  return [
    // A mirror is another party: the user's credentials are not for it.
    ...others.map((address) => new Endpoint({ transport, address, auth: {}, scope })),
    new Endpoint({ transport, address: own, auth, scope }),
  ].map((endpoint) => ({ endpoint, capabilities: everything }));
}
