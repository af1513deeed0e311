import type { ServerResponse } from 'node:http';

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
