import type {
  AuthConfig,
  AuthResponse,
  BuildCache,
  ContainerSummary,
  ImageSummary,
  SystemDataUsageResponse,
  SystemInfo,
  SystemVersion,
  Volume,
} from '../../api-spec/index.js';
import { describeInfo } from './info.js';
import type { InfoCounts, InfoFacts } from './info.js';
import { describeVersion } from './version.js';

export { engineId } from './engine-id.js';
export { serverVersion } from './version.js';
export type { InfoFacts } from './info.js';
export type { BuildFacts } from './version.js';

/** What the engine's own questions need of the other services. */
export interface SystemNeeds {
  counts(): InfoCounts;
  login(config: AuthConfig): Promise<AuthResponse>;
  containers(): Promise<readonly ContainerSummary[]>;
  images(): Promise<readonly ImageSummary[]>;
  volumes(): Promise<readonly Volume[]>;
  /** Bytes of all unpacked layers. */
  layersSizeBytes(): number;
  buildCache(): readonly BuildCache[];
  /** What the user should know of this host, a sentence each. */
  warnings(): readonly string[];
}

type Kind = 'container' | 'image' | 'volume' | 'build-cache';

/**
 * The answers of `/version`, `/info`, `/auth` and `/system/df`; `auth` throws `ApiError` 401 when
 * the registry refuses.
 */
export interface SystemService {
  version(): SystemVersion;
  info(): Promise<SystemInfo>;
  auth(config: AuthConfig): Promise<AuthResponse>;
  /** Of the kinds asked for. */
  dataUsage(kinds: readonly Kind[]): Promise<SystemDataUsageResponse>;
}

/** The engine about itself. */
export function createSystem(facts: InfoFacts, needs: SystemNeeds): SystemService {
  return {
    version: () => describeVersion(facts.build),
    info: () => Promise.resolve(describeInfo(facts, needs.counts(), needs.warnings())),
    auth: (config) => needs.login(config),
    async dataUsage(kinds) {
      const wants = (kind: Kind): boolean => kinds.includes(kind);
      return {
        LayersSize: wants('image') ? needs.layersSizeBytes() : 0,
        Images: wants('image') ? await needs.images() : null,
        Containers: wants('container') ? await needs.containers() : null,
        Volumes: wants('volume') ? await needs.volumes() : null,
        BuildCache: wants('build-cache') ? needs.buildCache() : null,
      };
    },
  };
}
