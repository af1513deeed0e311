/** `docker search`: the catalogue that Docker Hub and a few registries offer beside `/v2/`. */
import type { AuthConfig, ImageSearchResponseItem } from '../../api-spec/index.js';
import { basicCredentials } from './credentials.js';
import { errorOfAnswer, invalidAnswer, isObject, parseJson } from './registry-error.js';
import { readBounded, type Transport } from './transport.js';

/** What to look for. */
export interface SearchRequest {
  /** Where: `docker.io` or a host. */
  readonly domain: string;
  readonly term: string;
  /** At most so many hits. */
  readonly limit: number;
  readonly auth: AuthConfig;
  readonly signal: AbortSignal;
}

const hubIndex = 'index.docker.io';
const maxAnswerBytes = 4 * 1024 * 1024;

/** Asks the index of `domain`; rejects with `RegistryError`. */
export async function search(
  transport: Transport,
  { domain, term, limit, auth, signal }: SearchRequest,
): Promise<readonly ImageSearchResponseItem[]> {
  const host = domain === 'docker.io' ? hubIndex : domain;
  const isPlain = transport.insecure.has(host);
  const url = new URL(`${isPlain ? 'http' : 'https'}://${host}/v1/search`);
  url.searchParams.set('q', term);
  url.searchParams.set('n', String(limit));
  const basic = basicCredentials(auth);
  const answer = await transport.send({
    url,
    method: 'GET',
    // The token that the index answers with is for its own first generation of clients.
    headers: {
      'x-docker-token': 'true',
      ...(basic === undefined ? {} : { authorization: `Basic ${basic}` }),
    },
    signal,
  });
  const text = (await readBounded(answer, maxAnswerBytes, 'search answer')).toString('utf8');
  if (answer.statusCode !== 200) throw errorOfAnswer(answer.statusCode, text);
  return readHits(text);
}

function readHits(text: string): readonly ImageSearchResponseItem[] {
  const parsed = parseJson(text);
  const results: unknown = isObject(parsed) ? parsed['results'] : undefined;
  if (!Array.isArray(results)) throw invalidAnswer('the search answer has no results');
  return results.filter(isObject).map((hit) => ({
    star_count: Number.isSafeInteger(hit['star_count']) ? Number(hit['star_count']) : 0,
    is_official: hit['is_official'] === true,
    name: typeof hit['name'] === 'string' ? hit['name'] : '',
    is_automated: hit['is_automated'] === true,
    description: typeof hit['description'] === 'string' ? hit['description'] : '',
  }));
}
