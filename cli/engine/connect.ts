import * as http from 'node:http';
import * as net from 'node:net';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import type { Duplex } from 'node:stream';
import { CommandError } from '../errors.js';
import type { Endpoint } from './endpoint.js';
import { EngineError, type Engine, type Hijacked, type RequestParts } from './engine.js';

/** The newest API that this program was written for; an older engine is spoken to in its own. */
const newestApi = '1.51';
/** No more of an answer than this is kept in memory. */
const maximumAnswerBytes = 256 * 1024 * 1024;

type TlsConnect = (options: ConnectionOptions) => TLSSocket;

/** Makes an Engine; nothing is dialled before the first request. */
export async function connectEngine(endpoint: Endpoint): Promise<Engine> {
  const needsTls = endpoint.kind === 'tcp' && endpoint.tls !== undefined;
  return new HttpEngine(endpoint, needsTls ? (await import('node:tls')).connect : undefined);
}

class HttpEngine implements Engine {
  readonly #endpoint: Endpoint;
  readonly #tlsConnect: TlsConnect | undefined;
  readonly #agent: http.Agent;
  #version = process.env['DOCKER_API_VERSION'] ?? newestApi;
  #isAgreed = process.env['DOCKER_API_VERSION'] !== undefined;

  constructor(endpoint: Endpoint, tlsConnect: TlsConnect | undefined) {
    this.#endpoint = endpoint;
    this.#tlsConnect = tlsConnect;
    this.#agent = new http.Agent({ keepAlive: true });
    const dial = (): Duplex => this.dial();
    Object.assign(this.#agent, { createConnection: dial });
  }

  get shown(): string {
    return this.#endpoint.shown;
  }

  dial(): Duplex {
    const endpoint = this.#endpoint;
    if (endpoint.kind === 'unix') return net.connect({ path: endpoint.path, allowHalfOpen: true });
    const { host, port, tls } = endpoint;
    if (tls === undefined || this.#tlsConnect === undefined) {
      return net.connect({ host, port, allowHalfOpen: true });
    }
    const name = net.isIP(host) === 0 ? { servername: host } : {};
    return this.#tlsConnect({ host, port, ...name, ...tls });
  }

  async apiVersion(): Promise<string> {
    if (!this.#isAgreed) {
      const answer = await this.#send('HEAD', '/_ping', {});
      answer.resume();
      this.#settle(answer.headers['api-version']);
    }
    return this.#version;
  }

  async json<T>(method: string, path: string, parts: RequestParts = {}): Promise<T> {
    const text = await this.text(method, path, parts);
    try {
      // The shape is the API's promise for this operation; it is not checked again here.
      return (text === '' ? undefined : JSON.parse(text)) as T;
    } catch (problem) {
      throw new CommandError(`the answer to ${method} ${path} is not JSON`, 1, { cause: problem });
    }
  }

  async text(method: string, path: string, parts: RequestParts = {}): Promise<string> {
    return readAll(await this.open(method, path, parts));
  }

  async open(
    method: string,
    path: string,
    parts: RequestParts = {},
  ): Promise<http.IncomingMessage> {
    // A stream cannot be sent twice, and a refused HEAD does not say why.
    if (parts.stream !== undefined || method === 'HEAD') await this.apiVersion();
    const answer = await this.#send(method, this.#versioned(path), parts);
    if ((answer.statusCode ?? 0) < 400) return answer;
    const reason = await reasonOf(answer);
    if (!this.#isAgreed && /is too new/.test(reason)) {
      this.#settle(answer.headers['api-version'] ?? /API version is ([\d.]+)/.exec(reason)?.[1]);
      return this.open(method, path, parts);
    }
    throw new EngineError(answer.statusCode ?? 0, reason);
  }

  async hijack(path: string, parts: RequestParts = {}): Promise<Hijacked> {
    await this.apiVersion();
    const request = this.#request('POST', this.#versioned(path), {
      ...parts,
      headers: { ...parts.headers, Connection: 'Upgrade', Upgrade: 'tcp' },
    });
    return new Promise<Hijacked>((resolve, reject) => {
      request.on('error', (problem) => reject(this.#unreachable(problem)));
      request.on('upgrade', (answer, socket, head) => {
        if (head.length > 0) socket.unshift(head);
        const kind = answer.headers['content-type'] ?? '';
        resolve({ socket, isMultiplexed: kind.includes('multiplexed-stream') });
      });
      request.on('response', (answer) => {
        reasonOf(answer).then(
          (reason) => reject(new EngineError(answer.statusCode ?? 0, reason)),
          reject,
        );
      });
      request.end(bodyText(parts));
    });
  }

  #versioned(path: string): string {
    return `/v${this.#version}${path}`;
  }

  #settle(offered: string | string[] | undefined): void {
    this.#isAgreed = true;
    const theirs = typeof offered === 'string' ? offered : '1.24';
    const [major = 0, minor = 0] = theirs.split('.').map(Number);
    const [ourMajor = 0, ourMinor = 0] = this.#version.split('.').map(Number);
    if (major < ourMajor || (major === ourMajor && minor < ourMinor)) this.#version = theirs;
  }

  #send(method: string, path: string, parts: RequestParts): Promise<http.IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = this.#request(method, path, parts);
      request.on('response', resolve);
      request.on('error', (problem) => reject(this.#unreachable(problem)));
      if (parts.stream === undefined) request.end(bodyText(parts));
      else parts.stream.on('error', (problem) => request.destroy(problem)).pipe(request);
    });
  }

  #request(method: string, path: string, parts: RequestParts): http.ClientRequest {
    const body = bodyText(parts);
    const type = parts.contentType ?? (body === undefined ? undefined : 'application/json');
    return http.request({
      agent: this.#agent,
      host: this.#endpoint.kind === 'unix' ? 'api.tsdocker' : this.#endpoint.host,
      method,
      path: path + queryText(parts),
      headers: {
        'User-Agent': 'tsdocker-cli',
        ...(type === undefined ? {} : { 'Content-Type': type }),
        ...(body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) }),
        ...(method === 'POST' && body === undefined && parts.stream === undefined
          ? { 'Content-Length': 0 }
          : {}),
        ...parts.headers,
      },
      ...(parts.signal === undefined ? {} : { signal: parts.signal }),
    });
  }

  #unreachable(problem: Error & { code?: string }): Error {
    if (problem.name === 'AbortError') return problem;
    const { code } = problem;
    if (code === 'EACCES') {
      return new CommandError(
        `permission denied while trying to connect to the daemon socket at ${this.shown}`,
        1,
        { cause: problem },
      );
    }
    if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTSOCK') {
      return new CommandError(
        `Cannot connect to the Docker daemon at ${this.shown}. Is the docker daemon running?`,
        1,
        { cause: problem },
      );
    }
    return new CommandError(`error during connect: ${problem.message}`, 1, { cause: problem });
  }
}

function bodyText(parts: RequestParts): string | undefined {
  return parts.body === undefined ? undefined : JSON.stringify(parts.body);
}

function queryText({ query = {} }: RequestParts): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    const values = typeof value === 'object' ? value : [String(value)];
    for (const each of values) pairs.append(name, each);
  }
  const text = pairs.toString();
  return text === '' ? '' : `?${text}`;
}

async function reasonOf(answer: http.IncomingMessage): Promise<string> {
  const text = await readAll(answer);
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed) {
      return String(parsed.message);
    }
  } catch (problem) {
    if (!(problem instanceof SyntaxError)) throw problem;
    // Errors after a hijack are plain text.
  }
  return text.trim() || `${answer.statusCode ?? 0} ${answer.statusMessage ?? ''}`.trim();
}

async function readAll(answer: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of answer) {
    if (!(chunk instanceof Buffer)) continue;
    sizeBytes += chunk.length;
    if (sizeBytes > maximumAnswerBytes) throw new CommandError('the answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
