/** Answers a container's and an exec's calls with nothing behind them: `empty-server SOCKET`. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { answer, beginOutput } from './answer.js';

const id = 'f'.repeat(64);
/** The answer that a start gives to who waits. */
let waiting: ServerResponse | undefined;

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url ?? '';
  if (path.startsWith('/exec/') && request.method === 'GET') {
    answer(response, 200, { ID: id, Running: false, ExitCode: 0 });
  } else if (path.startsWith('/exec/')) {
    await text(request);
    beginOutput(response);
    response.end();
  } else if (path.endsWith('/create') || path.endsWith('/exec')) {
    const asked: unknown = JSON.parse(await text(request));
    answer(response, 201, { Id: id, Warnings: asked === null ? null : [] });
  } else if (path.includes('/wait')) {
    waiting = response.writeHead(200, { 'Content-Type': 'application/json' });
    waiting.flushHeaders();
  } else {
    answer(response, 204);
    waiting?.end(JSON.stringify({ StatusCode: 0 }));
    waiting = undefined;
  }
}

const server = createServer((request, response) => {
  serve(request, response).catch((problem: unknown) => response.destroy(problem as Error));
});
server.listen(process.argv[2]);
process.stdin.resume().once('end', () => process.exit(0));
