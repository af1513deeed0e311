import type { ServerResponse } from 'node:http';

const rawStream = 'application/vnd.docker.raw-stream';

/** An answer as the daemon gives it, with a body of JSON or none. */
export function answer(response: ServerResponse, status: number, body?: object): void {
  const text = body === undefined ? undefined : JSON.stringify(body);
  response.writeHead(status, {
    'Api-Version': '1.51',
    ...(text === undefined
      ? {}
      : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) }),
  });
  response.end(text);
}

/** The head of an exec's output, whose end is the end of the connection. */
export function beginOutput(response: ServerResponse): void {
  response.useChunkedEncodingByDefault = false;
  response.writeHead(200, { 'Content-Type': rawStream, Connection: 'close' });
}
