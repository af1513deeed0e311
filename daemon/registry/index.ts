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
import { openRepository, type Repository } from './repository.js';
import { search, type SearchRequest } from './search.js';
import { createTransport } from './transport.js';

export { downloadBlob } from './download.js';
export { pullError } from './docker-words.js';
export {
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
  const transport = createTransport({
    insecure: insecureHosts(options.insecureRegistries),
    certificateDirectories: options.certificateDirectories ?? defaultCertificateDirectories,
    userAgent: options.userAgent,
  });
  return {
    open: ({ domain, path }, auth) => {
      const scope = `repository:${path}:pull`;
      const own = domain === 'docker.io' ? hubHost : domain;
      // A mirror is another party: the user's credentials are not for it.
      const others = domain === 'docker.io' ? mirrors : [];
      const endpoints = [
        ...others.map((address) => new Endpoint({ transport, address, auth: {}, scope })),
        new Endpoint({ transport, address: own, auth, scope }),
      ];
      return openRepository(path, endpoints);
    },
    openPush: ({ domain, path }, auth, sources) => {
      const scope = [
        `repository:${path}:pull,push`,
        ...sources.map((source) => `repository:${source}:pull`),
      ].join(' ');
      const address = domain === 'docker.io' ? hubHost : domain;
      return openPushTarget(path, new Endpoint({ transport, address, auth, scope }));
    },
    search: (request) => search(transport, request),
    logIn: (auth, signal) => logIn({ transport, auth, hubHost, signal }),
    close: () => transport.close(),
  };
}
