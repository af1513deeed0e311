/** Stands for the id that a conversation is given, in the path of a request. */
export const given = '{given}'.padEnd(64);
/** Stands for the last `Id` that an answer told. */
export const made = '{made}'.padEnd(64);

/** One step of a conversation with an engine: `talk.c` takes it. */
export interface Step {
  /** The connection, 0 to 3: an answer that is not read to its end holds up its own alone. */
  readonly line: number;
  /** What is asked; without it the answer that is under way on the line is read on. */
  readonly request?: readonly [method: string, path: string, body?: unknown];
  /** Whether the next step follows the answer's head, or its end. */
  readonly until: 'head' | 'end';
  /** What the body must have in it. */
  readonly expected?: string;
}

/** The form in which the program reads them. */
export function writtenDown(steps: readonly Step[]): string {
  return steps.map(({ line, request, until, expected = '' }) => {
    const bytes = request === undefined ? '' : requestText(...request);
    const sizes = `${Buffer.byteLength(bytes)} ${Buffer.byteLength(expected)}`;
    return `${line} ${until === 'head' ? 'h' : 'b'} ${sizes}\n${bytes}${expected}`;
  }).join('\n');
}

function requestText(method: string, path: string, body?: unknown): string {
  const json = body === undefined ? '' : JSON.stringify(body);
  const type = body === undefined ? '' : 'Content-Type: application/json\r\n';
  const length = method === 'GET' ? '' : `Content-Length: ${Buffer.byteLength(json)}\r\n`;
  return `${method} ${path} HTTP/1.1\r\nHost: bench\r\n${type}${length}\r\n${json}`;
}
