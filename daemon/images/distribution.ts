/** `GET /distribution/{name}/json`: what a registry has under a name, without pulling it. */
import type { AuthConfig, DistributionInspect } from '../../api-spec/index.js';
import {
  pullError,
  type FetchedManifest,
  type Registry,
  type Repository,
} from '../registry/index.js';
import { fetchConfig } from './fetch-config.js';
import { parseImageConfig } from './image-config.js';
import { familiarName, familiarRepository, parseReference, withDefaultTag } from './reference.js';

const inspectTimeoutMs = 60_000;

/** `ApiError` in the words of a pull. */
export async function inspectDistribution(
  registry: Registry,
  name: string,
  auth: AuthConfig,
): Promise<DistributionInspect> {
  const reference = withDefaultTag(parseReference(name));
  const repository = registry.open(reference, auth);
  const signal = AbortSignal.timeout(inspectTimeoutMs);
  try {
    const wanted = reference.digest ?? reference.tag ?? 'latest';
    const found = await repository.manifest(wanted, signal);
    const { digest, document, bytes } = found;
    return {
      Descriptor: { mediaType: document.mediaType, digest, size: bytes.length },
      Platforms: await platformsOf(repository, found, signal),
    };
  } catch (error) {
    throw pullError(error, {
      repository: familiarRepository(reference),
      reference: familiarName(reference),
    });
  }
}

async function platformsOf(
  repository: Repository,
  { document }: FetchedManifest,
  signal: AbortSignal,
): Promise<DistributionInspect['Platforms']> {
  if (document.kind === 'index') {
    return document.manifests.flatMap(({ platform }) => (platform === undefined ? [] : [platform]));
  }
  const text = await fetchConfig(repository, document.config, signal);
  const { os, architecture, variant } = parseImageConfig(text);
  return [{ os, architecture, ...(variant === undefined ? {} : { variant }) }];
}
