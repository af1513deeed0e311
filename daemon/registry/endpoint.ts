/** One server that may answer for a repository: its scheme, its credentials, its requests. */
import type { AuthConfig } from '../../api-spec/index.js';
import { authorize, type Authorization } from './authorize.js';
import { parseChallenges, type Challenge } from './challenge.js';
import { spokePlaintext } from './network-error.js';
import { errorOfAnswer, RegistryError, retryAfterOf } from './registry-error.js';
import type { ConfiguredHost } from './registry-hosts.js';
import {
  headerOf,
  readBounded,
  type Answer,
  type Query,
  type RequestBody,
  type Transport,
} from './transport.js';

/** A server and what to show it. */
export interface EndpointOptions {
  readonly transport: Transport;
  /** `registry-1.docker.io`, `localhost:5000`; or a whole URL for a mirror. */
  readonly address: string;
  readonly auth: AuthConfig;
  /** `repository:library/busybox:pull`; several, with a space between them. */
  readonly scope: string;
  readonly offline?: boolean;
  /** Of `hosts.toml`; `address` then only names it. */
  readonly configured?: Pick<ConfiguredHost, 'base' | 'headers' | 'namespace' | 'tls'>;
}

/** One request below `/v2/`. */
export interface EndpointRequest {
  readonly method: Query['method'];
  /** After `/v2/`; or a whole URL that the registry named, which gets no credentials elsewhere. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  readonly signal: AbortSignal;
}

const maxErrorBytes = 64 * 1024;

/** Keeps its authorization for as long as it lives: one operation of one user. */
export class Endpoint {
  private base: URL | undefined;
  private authorization: Authorization | undefined;

  constructor(private readonly options: EndpointOptions) {}

  /** The lasting token that a login gave. */
  get identityToken(): string {
    return this.authorization?.identityToken ?? '';
  }

  /** Where requests go, once one was sent: for messages. */
  get url(): string {
    return this.base?.href ?? `https://${this.options.address}/v2/`;
  }

  /** An answer below 400, or `RegistryError`. Logs in when it is told to, once for each request. */
  async send(request: EndpointRequest): Promise<Answer> {
    const base = await this.findBase(request.signal);
    const url = withNamespace(new URL(request.path, base), request, this.options.configured);
    if (url.origin !== base.origin) return this.sendElsewhere(request, url, base);
    const before = this.authorization?.header;
    const answer = await this.sendAuthorized(request, url);
    if (answer.statusCode !== 401) return succeed(answer);
    const challenges = challengesOf(answer);
    const refusal = await refusalOf(answer, challenges);
    if (challenges.length === 0) throw refusal;
    // Unless another request has done so since this one was sent.
    if (this.authorization?.header === before) await this.logIn(challenges, request, url);
    // The same credentials again would only be refused again.
    if (this.authorization?.header === before) throw refusal;
    return succeed(await this.sendAuthorized(request, url));
  }

  private sendAuthorized(request: EndpointRequest, url: URL): Promise<Answer> {
    const query = queryOf(request, url);
    const own =
      this.authorization === undefined ? {} : { authorization: this.authorization.header };
    const { configured, transport } = this.options;
    const headers = { ...configured?.headers, ...query.headers, ...own };
    return transport.send({ ...query, headers, tls: configured?.tls });
  }

  private async sendElsewhere(request: EndpointRequest, url: URL, namedBy: URL): Promise<Answer> {
    return succeed(await this.options.transport.send({ ...queryOf(request, url), namedBy }));
  }

  private async logIn(
    challenges: readonly Challenge[],
    { method, signal }: EndpointRequest,
    url: URL,
  ): Promise<void> {
    const { transport, auth, scope, offline } = this.options;
    try {
      const registry = url;
      const wish = { challenges, auth, scope, registry, offline: offline === true, signal };
      this.authorization = await authorize(transport, wish);
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      const verb = `${method.charAt(0)}${method.slice(1).toLowerCase()}`;
      throw new RegistryError(error.status, error.code, `${verb} "${url.href}": ${error.message}`, {
        cause: error,
      });
    }
  }

  /**
   * TLS always, but for hosts that are listed as insecure: there, if it speaks plain HTTP or does
   * not answer on TLS at all, plain HTTP. Never by default (CVE-2014-5277).
   */
  private async findBase(signal: AbortSignal): Promise<URL> {
    if (this.base !== undefined) return this.base;
    const { address, configured, transport } = this.options;
    if (configured !== undefined) return (this.base = configured.base);
    if (address.includes('://')) {
      return (this.base = new URL('v2/', address.endsWith('/') ? address : `${address}/`));
    }
    const secure = new URL(`https://${address}/v2/`);
    if (!transport.insecure.has(secure.host)) return (this.base = secure);
    const plain = new URL(`http://${address}/v2/`);
    try {
      await this.probe(secure, signal);
      this.base = secure;
    } catch (error) {
      const isDown = error instanceof RegistryError && error.code === 'NETWORK';
      if (!spokePlaintext(error) && !isDown) throw error;
      await this.probe(plain, signal);
      this.base = plain;
    }
    return this.base;
  }

  private async probe(url: URL, signal: AbortSignal): Promise<void> {
    const answer = await this.options.transport.send({ url, method: 'GET', headers: {}, signal });
    await answer.body.dump();
  }
}

/** A stand-in serves several registries, and is told which one is meant. */
function withNamespace(
  url: URL,
  { method }: EndpointRequest,
  configured: EndpointOptions['configured'],
): URL {
  const isRead = method === 'GET' || method === 'HEAD';
  if (configured?.namespace !== undefined && isRead) {
    url.searchParams.set('ns', configured.namespace);
  }
  return url;
}

function queryOf({ method, headers = {}, body, signal }: EndpointRequest, url: URL): Query {
  return { url, method, headers, signal, ...(body === undefined ? {} : { body }) };
}

async function succeed(answer: Answer): Promise<Answer> {
  if (answer.statusCode < 300) return answer;
  throw await refusalOf(answer, challengesOf(answer));
}

function challengesOf(answer: Answer): readonly Challenge[] {
  const header = answer.headers['www-authenticate'];
  const lines = header === undefined ? [] : Array.isArray(header) ? header : [header];
  return lines.flatMap(parseChallenges);
}

/** The challenge says more than the body: a token without the scope means "denied". */
async function refusalOf(answer: Answer, challenges: readonly Challenge[]): Promise<RegistryError> {
  const body = (await readBounded(answer, maxErrorBytes, 'error answer')).toString('utf8');
  const given = challenges.find(({ parameters }) => parameters['error'] !== undefined)?.parameters;
  const description = given?.['error_description']?.slice(0, 500);
  if (given?.['error'] === 'insufficient_scope') {
    const text = `denied: ${description ?? 'requested access to the resource is denied'}`;
    return new RegistryError(answer.statusCode, 'DENIED', text);
  }
  const isPlain = headerOf(answer, 'content-type')?.startsWith('text/html') === true;
  const retryAfterMs = retryAfterOf(headerOf(answer, 'retry-after'), Date.now());
  return errorOfAnswer(answer.statusCode, isPlain ? '' : body, retryAfterMs);
}
