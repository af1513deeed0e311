/** A server of files and repositories on loopback, for builds that fetch. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';

/** What a path is answered with: content, or an answer of one's own. */
export type Served = string | Buffer | ((response: ServerResponse) => void);

/** Serves until the end of the test. */
export interface HttpFiles {
  /** `http://127.0.0.1:PORT`, without a slash. */
  readonly url: string;
  /** Paths that were asked for. */
  readonly asked: string[];
  serve(path: string, what: Served): void;
}

interface Test {
  teardown(run: () => unknown): void;
}

/** Below `repositories` are bare repositories, served by git's own program. */
export async function serveHttp(t: Test, repositories = ''): Promise<HttpFiles> {
  const files = new Map<string, Served>();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = (request.url ?? '').replace(/\?.*$/, '');
    asked.push(path);
    const found = files.get(path);
    if (found === undefined && /\.git\//.test(path)) git(repositories, request, response);
    else if (found === undefined) response.writeHead(404).end('nothing');
    else if (typeof found === 'function') found(response);
    else response.end(found);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  // It listens on a port.
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return { url, asked, serve: (path, what) => void files.set(path, what) };
}

/** CGI: a head of lines, then the body. */
function git(root: string, request: IncomingMessage, response: ServerResponse): void {
  const [path = '', query = ''] = (request.url ?? '').split('?');
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: path,
      QUERY_STRING: query,
      REQUEST_METHOD: request.method ?? 'GET',
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: [request.headers['git-protocol']].flat()[0] ?? '',
      GIT_CONFIG_COUNT: '2',
      GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: '*',
      GIT_CONFIG_KEY_1: 'uploadpack.allowAnySHA1InWant',
      GIT_CONFIG_VALUE_1: 'true',
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  request.pipe(child.stdin);
  let head = Buffer.alloc(0);
  let isHead = true;
  child.stdout.on('data', (chunk: Buffer) => {
    if (!isHead) return void response.write(chunk);
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    isHead = false;
    const fields = head.toString('latin1', 0, end).split('\r\n').map((line) => line.split(': '));
    for (const [name = '', value = ''] of fields) {
      if (name === 'Status') response.statusCode = Number(value.slice(0, 3));
      else response.setHeader(name, value);
    }
    response.write(head.subarray(end + 4));
  });
  child.once('close', () => response.end());
}

/** A repository with one commit of these files on `main`, tagged `v1`; its commit. */
export function makeRepository(
  folder: string,
  files: Readonly<Record<string, string>>,
  links: Readonly<Record<string, string>> = {},
): string {
  const run = (...args: readonly string[]): string =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], {
      cwd: folder,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: folder, GIT_CONFIG_NOSYSTEM: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim();
  mkdirSync(folder, { recursive: true });
  run('init', '--quiet', '--initial-branch=main', '.');
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  for (const [name, target] of Object.entries(links)) {
    execFileSync('ln', ['-s', '--', target, join(folder, name)]);
  }
  run('add', '--all');
  run('commit', '--quiet', '-m', 'one');
  run('tag', 'v1');
  return run('rev-parse', 'HEAD');
}
