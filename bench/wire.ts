import { connect, type Socket } from 'node:net';

/** An answer whose head is there; its body may take longer. */
export interface Answer {
  readonly status: number;
  readonly body: Promise<string>;
}

const timeoutMs = 300_000;
const endOfHead = '\r\n\r\n';

/**
 * Requests with a small body or none, each on a kept connection of its own. Node's HTTP client
 * takes as long for a request as the engine does; what is measured is the engine, so this one does
 * no more than it must: one write, and of an answer's head only what tells its end.
 */
export class Wire {
  readonly #free = new Set<Line>();
  readonly #all = new Set<Line>();

  constructor(readonly socketPath: string) {}

  /** Resolves with the head's arrival, whatever its status. Rejects when the line breaks. */
  async ask(method: string, path: string, body?: unknown): Promise<Answer> {
    const [line = this.#open()] = this.#free;
    this.#free.delete(line);
    const { type, bytes } = carried(body);
    const kind = type === undefined ? '' : `Content-Type: ${type}\r\n`;
    const length = method === 'GET' ? '' : `Content-Length: ${bytes.length}\r\n`;
    const head = `${method} ${path} HTTP/1.1\r\nHost: bench\r\n${kind}${length}\r\n`;
    const answer = await line.ask(Buffer.concat([Buffer.from(head), bytes]));
    const freed = (): void => {
      if (!line.isClosed) this.#free.add(line);
    };
    // A line that breaks is told to who reads the body.
    answer.body.then(freed, () => undefined);
    return answer;
  }

  close(): void {
    for (const line of this.#all) line.close();
  }

  #open(): Line {
    // An engine closes what was not used for some seconds.
    const line = new Line(connect(this.socketPath), () => {
      this.#all.delete(line);
      this.#free.delete(line);
    });
    this.#all.add(line);
    return line;
  }
}

/** How a body is sent: bytes are a tar; anything else is JSON. */
export function carried(body: unknown): { readonly type?: string; readonly bytes: Buffer } {
  if (body === undefined) return { bytes: Buffer.alloc(0) };
  if (body instanceof Buffer) return { type: 'application/x-tar', bytes: body };
  return { type: 'application/json', bytes: Buffer.from(JSON.stringify(body)) };
}

/** One connection, which carries one request at a time. */
class Line {
  isClosed = false;
  #received = '';
  #head: string | undefined;
  #gotHead: (answer: Answer) => void = () => undefined;
  #gotBody: (text: string) => void = () => undefined;
  #failed: (error: Error) => void = () => undefined;

  constructor(readonly socket: Socket, onClose: () => void) {
    // One character is one byte: what ends a head or a chunk is ASCII, and lengths are in bytes.
    socket.setEncoding('latin1');
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error('timed out')));
    socket.on('data', (text: string) => this.#take(text));
    socket.on('error', (error) => this.#failed(error));
    socket.on('close', () => {
      this.isClosed = true;
      onClose();
      this.#tryBody();
      this.#failed(new Error('the engine has closed the connection'));
    });
  }

  ask(request: Buffer): Promise<Answer> {
    this.#received = '';
    this.#head = undefined;
    return new Promise((resolve, reject) => {
      this.#gotHead = resolve;
      this.#failed = reject;
      this.socket.write(request);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  #take(text: string): void {
    this.#received += text;
    const end = this.#head === undefined ? this.#received.indexOf(endOfHead) : -1;
    if (end >= 0) {
      const head = this.#received.slice(0, end);
      this.#head = head;
      this.#received = this.#received.slice(end + endOfHead.length);
      const body = new Promise<string>((resolve, reject) => {
        this.#gotBody = resolve;
        this.#failed = reject;
      });
      this.#gotHead({ status: Number(head.slice(9, 12)), body });
    }
    this.#tryBody();
  }

  #tryBody(): void {
    if (this.#head === undefined) return;
    const body = wholeBody(this.#head, this.#received, this.isClosed);
    if (body !== undefined) this.#gotBody(Buffer.from(body, 'latin1').toString('utf8'));
  }
}

/** The body if all of it has been received: RFC 9112, section 6.3. */
function wholeBody(head: string, received: string, isClosed: boolean): string | undefined {
  if (/^HTTP\/1.1 [23]04/.test(head)) return '';
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) return joinedChunks(received);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  const isWhole = length === undefined ? isClosed : received.length >= Number(length);
  return isWhole ? received : undefined;
}

function joinedChunks(received: string): string | undefined {
  let text = '';
  for (let at = 0; ;) {
    const sizeEnd = received.indexOf('\r\n', at);
    const start = sizeEnd + 2;
    const end = start + Number.parseInt(received.slice(at, sizeEnd), 16);
    if (sizeEnd < 0 || received.length < end + 2) return undefined;
    if (end === start) return text;
    text += received.slice(start, end);
    at = end + 2;
  }
}
