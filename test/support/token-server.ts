/** A token server of the distribution protocol: gives out JWTs that `docker-registry` believes. */
import { createPrivateKey, sign, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A running token server; the test stops it. */
export interface TokenServer {
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** Paths with queries, and bodies of posts, as they came. */
  readonly seen: {
    readonly url: string;
    readonly body: string;
    readonly authorization: string | undefined;
  }[];
  /** Seconds that tokens are good for. */
  lifetimeSeconds: number;
  stop(): Promise<void>;
}

const basic = `Basic ${Buffer.from('alice:secret').toString('base64')}`;
const lastingToken = 'a-lasting-token';
const service = 'registry.test';
const issuer = 'token.test';

/** Lets `alice` with password `secret` and the lasting token pull everything, others nothing. */
export async function startTokenServer(files: {
  readonly certificate: string;
  readonly key: string;
}): Promise<TokenServer> {
  const key = createPrivateKey(await readFile(files.key, 'utf8'));
  const certificate = new X509Certificate(await readFile(files.certificate, 'utf8'));
  const header = { alg: 'ES256', typ: 'JWT', x5c: [certificate.raw.toString('base64')] };

  const token = (scopes: readonly string[]): string => {
    const now = Math.floor(Date.now() / 1000);
    const access = scopes.map((scope) => {
      const [type, name, actions = ''] = scope.split(':');
      return { type, name, actions: actions.split(',') };
    });
    const claims = {
      iss: issuer,
      aud: service,
      sub: 'alice',
      nbf: now - 10,
      iat: now,
      exp: now + server.lifetimeSeconds,
      jti: String(Math.random()),
      access,
    };
    const parts = [header, claims].map((part) =>
      Buffer.from(JSON.stringify(part)).toString('base64url'),
    );
    const signature = sign('sha256', Buffer.from(parts.join('.')), {
      key,
      dsaEncoding: 'ieee-p1363',
    });
    return [...parts, signature.toString('base64url')].join('.');
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const body = Buffer.concat(chunks).toString('utf8');
    const { authorization } = request.headers;
    server.seen.push({ url: request.url ?? '', body, authorization });
    const query = new URL(request.url ?? '', 'http://x').searchParams;
    const form = new URLSearchParams(body);
    const isKnown = authorization === basic || form.get('refresh_token') === lastingToken;
    if (authorization !== undefined && authorization !== basic) {
      response.writeHead(401, { 'content-type': 'application/json' });
      response.end('{"details":"incorrect username or password"}');
      return;
    }
    const wanted = [...query.getAll('scope'), ...form.getAll('scope')].filter((one) => one !== '');
    const lasting = query.get('offline_token') === 'true' ? { refresh_token: lastingToken } : {};
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ token: token(isKnown ? wanted : []), ...lasting }));
  };
  const http = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  // A server that listens on a port has an AddressInfo.
  const { port } = http.address() as AddressInfo;
  const server: TokenServer = {
    realm: `http://127.0.0.1:${port}/token`,
    service,
    issuer,
    seen: [],
    lifetimeSeconds: 300,
    stop: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
  return server;
}
