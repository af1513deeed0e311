/**
 * HTTP to registries: one connection pool a host, TLS as configured, redirects followed by our own
 * rules, every wait bounded. It knows nothing of what is asked for.
 */
import dns from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { Readable } from 'node:stream';
import type { Agent, Dispatcher } from 'undici';
import { mayName, reachOf, reachOfHost, type InsecureHosts, type Reach } from './addresses.js';
import { networkError } from './network-error.js';
import { RegistryError } from './registry-error.js';
import { certificatesFor, type HostCertificates } from './tls.js';

/** What differs from host to host. */
export interface TransportOptions {
  readonly insecure: InsecureHosts;
  /** Folders like `/etc/docker/certs.d`. */
  readonly certificateDirectories: readonly string[];
  readonly userAgent: string;
}

/** TLS of one server, beside what the folder of its name holds. */
export interface TlsProfile {
  /** The same for the same content: connections are shared by it. */
  readonly name: string;
  readonly material: HostCertificates;
  /** Any certificate will do. */
  readonly skipVerify: boolean;
}

/** What is sent: bytes, or a stream that is made anew each time the request is sent. */
export type RequestBody = string | Uint8Array | (() => Readable);

/** One request. */
export interface Query {
  readonly url: URL;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  readonly signal: AbortSignal;
  /** The host that named `url`, when it was not the user: it may not name what is more private. */
  readonly namedBy?: URL;
  /** For the host of `url` alone: dropped when a redirect leads elsewhere. */
  readonly tls?: TlsProfile | undefined;
}

/** An answer whose body must be read or dumped by the caller. */
export type Answer = Pick<Dispatcher.ResponseData, 'statusCode' | 'headers' | 'body'>;

/** Shared by all; keeps connections, never credentials. */
export interface Transport {
  readonly insecure: InsecureHosts;
  /**
   * Sends and follows redirects; rejects with `RegistryError`. `Authorization` never leaves its
   * origin.
   */
  send(query: Query): Promise<Answer>;
  close(): Promise<void>;
}

const connectTimeoutMs = 15_000;
const headersTimeoutMs = 60_000;
/** Longest silence in the middle of a body. */
const bodyTimeoutMs = 60_000;
const maxRedirects = 5;
const maxConnectionsPerHost = 16;
const maxAgents = 256;
const redirects: readonly number[] = [301, 302, 303, 307, 308];

/** Builds a transport; the caller closes it. */
export function createTransport(options: TransportOptions): Transport {
  const agents = new Map<string, Agent>();

  const agentFor = async (wish: AgentWish): Promise<Agent> => {
    const key = `${wish.host} ${wish.limit ?? ''} ${wish.tls?.name ?? ''}`;
    const known = agents.get(key);
    if (known !== undefined) return known;
    const agent = await makeAgent(options, wish);
    if (agents.size >= maxAgents) dropOldest(agents);
    agents.set(key, agent);
    return agent;
  };

  const sendOnce = async (query: Query): Promise<Answer> => {
    const { url, method, headers, body, signal, namedBy, tls } = query;
    try {
      const limit = namedBy === undefined ? undefined : await allowedReach(namedBy, url, options);
      const { request } = await import('undici');
      const dispatcher = await agentFor({ host: url.host, limit, tls });
      return await request(url, {
        dispatcher,
        method,
        signal,
        headers: { 'user-agent': options.userAgent, ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'function' ? body() : body }),
      });
    } catch (error) {
      throw networkError(error, method, url, signal);
    }
  };

  const send = async (query: Query): Promise<Answer> => {
    let current = query;
    for (let hop = 0; hop <= maxRedirects; hop += 1) {
      const answer = await sendOnce(current);
      const location = answer.headers['location'];
      if (!redirects.includes(answer.statusCode) || typeof location !== 'string') return answer;
      await answer.body.dump();
      current = redirected(current, location);
    }
    throw new RegistryError(0, 'REFUSED', `stopped after ${maxRedirects} redirects`);
  };

  return {
    insecure: options.insecure,
    send,
    close: async () => {
      await Promise.all([...agents.values()].map((agent) => agent.close()));
      agents.clear();
    },
  };
}

interface AgentWish {
  readonly host: string;
  readonly limit: Reach | undefined;
  readonly tls: TlsProfile | undefined;
}

async function makeAgent(
  { insecure, certificateDirectories }: TransportOptions,
  { host, limit, tls }: AgentWish,
): Promise<Agent> {
  const certificates = await certificatesFor(host, certificateDirectories);
  // Seven megabytes that an engine without pulls does not need: loaded by the first.
  const { Agent: AgentOfUndici } = await import('undici');
  return new AgentOfUndici({
    connections: maxConnectionsPerHost,
    headersTimeout: headersTimeoutMs,
    bodyTimeout: bodyTimeoutMs,
    connect: {
      timeout: connectTimeoutMs,
      rejectUnauthorized: !insecure.has(host) && tls?.skipVerify !== true,
      ...certificates,
      ...tls?.material,
      ...(limit === undefined ? {} : { lookup: guardedLookup(limit) }),
    },
  });
}

function dropOldest(agents: Map<string, Agent>): void {
  const oldest = agents.entries().next().value;
  if (oldest === undefined) return;
  agents.delete(oldest[0]);
  // Graceful: requests under way on it are finished first, so this is not waited for.
  void oldest[1].close();
}

/** What says nothing of the user or of how one server is spoken to. */
const plainHeaders = /^(accept|accept-encoding|range|if-range|content-.*)$/i;

/** Credentials stay with the origin that they were meant for, and do not come back later. */
function redirected(query: Query, location: string): Query {
  if (!URL.canParse(location, query.url.href)) {
    const shown = JSON.stringify(location).slice(0, 200);
    throw new RegistryError(0, 'REFUSED', `redirect to an invalid location ${shown}`);
  }
  const url = new URL(location, query.url);
  if (url.origin === query.url.origin) return { ...query, url };
  const headers = Object.fromEntries(
    Object.entries(query.headers).filter(([name]) => plainHeaders.test(name)),
  );
  return { ...query, url, headers, tls: undefined, namedBy: query.namedBy ?? query.url };
}

/**
 * Refuses a host that `from` may not send us to, and says how private its addresses may be, so
 * that a name cannot resolve to something else when it is connected to.
 */
async function allowedReach(
  from: URL,
  to: URL,
  { insecure }: TransportOptions,
): Promise<Reach | undefined> {
  const isHttp = to.protocol === 'http:' || to.protocol === 'https:';
  if (!isHttp || (to.protocol === 'http:' && !insecure.has(to.host))) {
    const text = `${from.host} may not send us to ${to.origin} without TLS`;
    throw new RegistryError(0, 'REFUSED', text);
  }
  if (to.hostname === from.hostname) return undefined;
  const own = await reachOfHost(from.hostname);
  if (!mayName(own, await reachOfHost(to.hostname))) {
    const text = `${from.host} may not send us to the private address ${to.host}`;
    throw new RegistryError(0, 'REFUSED', text);
  }
  return own;
}

function guardedLookup(limit: Reach): LookupFunction {
  return (hostname, options, done) => {
    dns.lookup(hostname, options, (error, found, family) => {
      const addresses = addressesOf(found);
      const forbidden = addresses.find((address) => !mayName(limit, reachOf(address)));
      if (error === null && forbidden !== undefined) {
        done(new Error(`${hostname} resolves to the private address ${forbidden}`), '', 0);
      } else {
        done(error, found, family);
      }
    });
  };
}

/** After an error there are none, whatever the types say. */
function addressesOf(
  found: string | readonly { readonly address: string }[] | undefined,
): string[] {
  if (typeof found === 'string') return [found];
  return (found ?? []).map(({ address }) => address);
}

/** Reads a body that must be small; rejects, and hangs up, beyond `limitBytes`. */
export async function readBounded(
  answer: Answer,
  limitBytes: number,
  what: string,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer.body) {
    const bytes = Buffer.from(chunk as Uint8Array); // No encoding is set: chunks are bytes.
    size += bytes.length;
    if (size > limitBytes) {
      const text = `${what} is larger than ${limitBytes} bytes`;
      throw new RegistryError(answer.statusCode, 'INVALID', text);
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

/** A header that must be there once. */
export function headerOf(answer: Answer, name: string): string | undefined {
  const value = answer.headers[name];
  return typeof value === 'string' ? value : value?.[0];
}
