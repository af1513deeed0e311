/** From a registry's challenge to an `Authorization` header: basic, or a token from its server. */
import type { AuthConfig } from '../../api-spec/index.js';
import type { Challenge } from './challenge.js';
import { basicCredentials } from './credentials.js';
import { errorOfAnswer, isObject, parseJson, RegistryError } from './registry-error.js';
import { readBounded, type Answer, type Transport } from './transport.js';

/** What is asked for: `repository:library/busybox:pull`; empty for a mere login. */
export interface AuthorizeRequest {
  readonly challenges: readonly Challenge[];
  readonly auth: AuthConfig;
  readonly scope: string;
  /** Where the challenge came from. */
  readonly registry: URL;
  /** Asks for a token that lasts (`docker login`). */
  readonly offline: boolean;
  readonly signal: AbortSignal;
}

/** What answers a challenge. */
export interface Authorization {
  readonly header: string;
  /** The lasting token, where one was asked for and given. */
  readonly identityToken?: string;
}

const maxTokenAnswerBytes = 1024 * 1024;
const maxTokenLength = 512 * 1024;
const clientId = 'tsdocker';

/** Rejects with `RegistryError` `NO_CREDENTIALS` when it wants what we were not given. */
export async function authorize(
  transport: Transport,
  request: AuthorizeRequest,
): Promise<Authorization> {
  const { auth, challenges } = request;
  if (auth.registrytoken !== undefined) return { header: `Bearer ${auth.registrytoken}` };
  const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
  if (bearer !== undefined) return fetchToken(transport, request, bearer);
  const basic = basicCredentials(auth);
  if (basic === undefined || !challenges.some(({ scheme }) => scheme === 'basic')) {
    throw new RegistryError(401, 'NO_CREDENTIALS', 'no basic auth credentials');
  }
  return { header: `Basic ${basic}` };
}

async function fetchToken(
  transport: Transport,
  request: AuthorizeRequest,
  bearer: Challenge,
): Promise<Authorization> {
  const realm = bearer.parameters['realm'] ?? '';
  if (!URL.canParse(realm)) {
    throw new RegistryError(
      0,
      'INVALID',
      `invalid token auth challenge realm: ${realm.slice(0, 200)}`,
    );
  }
  const service = bearer.parameters['service'] ?? '';
  const query =
    request.auth.identitytoken === undefined
      ? getQuery(new URL(realm), service, request)
      : postQuery(new URL(realm), service, request);
  const answer = await transport.send({
    ...query,
    signal: request.signal,
    namedBy: request.registry,
  });
  return readToken(answer);
}

function getQuery(url: URL, service: string, { auth, scope, offline }: AuthorizeRequest) {
  if (service !== '') url.searchParams.set('service', service);
  for (const each of scope.split(' ').filter(Boolean)) url.searchParams.append('scope', each);
  if (offline) url.searchParams.set('offline_token', 'true');
  const basic = basicCredentials(auth);
  if (auth.username !== undefined) url.searchParams.set('account', auth.username);
  url.searchParams.set('client_id', clientId);
  const headers: Record<string, string> =
    basic === undefined ? {} : { authorization: `Basic ${basic}` };
  return { url, method: 'GET' as const, headers };
}

function postQuery(url: URL, service: string, { auth, scope }: AuthorizeRequest) {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    refresh_token: auth.identitytoken ?? '',
    service,
    scope,
    client_id: clientId,
  });
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return { url, method: 'POST' as const, headers, body: form.toString() };
}

async function readToken(answer: Answer): Promise<Authorization> {
  const text = (await readBounded(answer, maxTokenAnswerBytes, 'token answer')).toString('utf8');
  if (answer.statusCode !== 200) throw tokenRefusal(answer.statusCode, text);
  const parsed = parseJson(text);
  const fields = isObject(parsed) ? parsed : {};
  const token = fields['token'] ?? fields['access_token'];
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token) || token.length > maxTokenLength) {
    throw new RegistryError(
      0,
      'INVALID',
      'authorization server did not include a token in the response',
    );
  }
  const lasting = fields['refresh_token'];
  return {
    header: `Bearer ${token}`,
    ...(typeof lasting === 'string' && lasting !== '' ? { identityToken: lasting } : {}),
  };
}

/** Docker Hub tells the reason in `details`, others in the usual list of errors. */
function tokenRefusal(status: number, body: string): RegistryError {
  const parsed = parseJson(body);
  const details = isObject(parsed) ? parsed['details'] : undefined;
  if (status === 401 && typeof details === 'string') {
    return new RegistryError(status, 'UNAUTHORIZED', `unauthorized: ${details.slice(0, 500)}`);
  }
  return errorOfAnswer(status, body);
}
