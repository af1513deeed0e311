/** `docker search`: the daemon's part is to ask, and to filter what came. */
import type { AuthConfig, ImageSearchResponseItem } from '../../api-spec/index.js';
import { invalidParameter, systemError } from '../../api-spec/errors.js';
import { RegistryError, type Registry } from '../registry/index.js';
import { checkFilters, flagFilter, type Filters } from './filters.js';

/** As in `GET /images/search`. */
export interface ImageSearchRequest {
  readonly term: string;
  /** From 1 to 100. */
  readonly limit: number;
  readonly filters: Filters;
  readonly auth: AuthConfig;
}

const maxLimit = 100;
const searchTimeoutMs = 60_000;

/** `ApiError` 400 for filters and limits that are none, 500 in the words of the index. */
export async function searchImages(
  registry: Registry,
  { term, limit, filters, auth }: ImageSearchRequest,
): Promise<readonly ImageSearchResponseItem[]> {
  checkFilters(filters, ['is-automated', 'is-official', 'stars']);
  const minStars = starsFilter(filters);
  const wanted = {
    is_official: flagOf(filters, 'is-official'),
    is_automated: flagOf(filters, 'is-automated'),
  };
  if (limit < 1 || limit > maxLimit) {
    throw invalidParameter(`limit ${limit} is outside the range of [1, ${maxLimit}]`);
  }
  const signal = AbortSignal.timeout(searchTimeoutMs);
  try {
    const hits = await registry.search({ ...indexOf(term), limit, auth, signal });
    return hits.filter(
      (hit) =>
        hit.star_count >= minStars &&
        (wanted.is_official ?? hit.is_official) === hit.is_official &&
        (wanted.is_automated ?? hit.is_automated) === hit.is_automated,
    );
  } catch (error) {
    if (error instanceof RegistryError) throw systemError(error.message, error);
    throw error;
  }
}

/** A term may begin with the registry to ask, as a reference does. */
function indexOf(term: string): { readonly domain: string; readonly term: string } {
  const [first = '', ...rest] = term.split('/');
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  if (!isHost) return { domain: 'docker.io', term: term.replace(/^library\//, '') };
  if (first === 'docker.io' || first === 'index.docker.io') {
    return { domain: 'docker.io', term: rest.join('/').replace(/^library\//, '') };
  }
  return { domain: first, term: rest.join('/') };
}

function flagOf(filters: Filters, name: string): boolean | undefined {
  return (filters[name] ?? []).length === 0 ? undefined : flagFilter(filters, name, false);
}

function starsFilter(filters: Filters): number {
  const counts = (filters['stars'] ?? []).map((value) => {
    if (!/^\d{1,9}$/.test(value)) throw invalidParameter(`invalid filter 'stars=[${value}]'`);
    return Number(value);
  });
  return Math.max(0, ...counts);
}
