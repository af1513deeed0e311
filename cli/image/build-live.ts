/** A build on a terminal: what has ended as lines that stay, what goes on below them, live. */
import type { Readable } from 'node:stream';
import type { JsonMessage } from '../../api-spec/stream.js';
import { jsonLines } from '../engine/lines.js';
import { CommandError } from '../errors.js';
import { plainLine } from '../terminal/progress.js';

/** As the engine sends them with `vertices=1`. */
interface Vertex {
  readonly Digest: string;
  readonly Name: string;
  readonly Stage: number;
  readonly Number: number;
}

interface Aux {
  readonly Plan?: { readonly Vertices: readonly Vertex[]; readonly Total: number };
  readonly Event?: {
    readonly Kind: 'started' | 'cached' | 'running' | 'removed' | 'log' | 'completed';
    readonly Digest: string;
    readonly Text?: string;
    readonly AtMs?: number;
  };
}

type Message = Omit<JsonMessage, 'aux'> & { readonly aux?: Aux & { readonly ID?: string } };

/** A step that has begun. */
interface Running {
  readonly vertex: Vertex;
  readonly sinceMs: number;
  isCached: boolean;
  /** The end of its output. */
  said: string;
}

/** Where it is shown. */
export interface LiveOutput {
  readonly write: (text: string) => void;
  readonly columns: number;
}

const redrawMs = 100;
const maxSaidCharacters = 8192;
const shownAtFailure = 20;

/** Shows it to its end; the image's id. Throws `CommandError` with the build's own error. */
export async function showLive(stream: Readable, output: LiveOutput): Promise<string> {
  let imageId = '';
  const screen = new Screen(output);
  const timer = setInterval(() => screen.draw([]), redrawMs);
  try {
    for await (const message of jsonLines<Message>(stream)) {
      const problem = message.errorDetail?.message ?? message.error;
      if (problem !== undefined) {
        screen.fail();
        throw new CommandError(problem);
      }
      imageId = message.aux?.ID ?? imageId;
      screen.take(message);
    }
    return imageId;
  } finally {
    clearInterval(timer);
    screen.clear();
  }
}

class Screen {
  readonly #vertices = new Map<string, Vertex>();
  readonly #stages = new Map<number, string>();
  readonly #running = new Map<string, Running>();
  #total = 0;
  /** Lines of ours below those that stay. */
  #live = 0;

  constructor(private readonly output: LiveOutput) {}

  take({ aux, ...message }: Message): void {
    if (aux?.Plan !== undefined) this.#plan(aux.Plan);
    else if (aux?.Event !== undefined) this.#happen(aux.Event);
    else if (message.stream !== undefined) this.draw([message.stream.trimEnd()]);
    else if (message.status !== undefined) this.draw([plainLine(message, '')]);
  }

  /** What the steps that still ran have said last. */
  fail(): void {
    const lines = [...this.#running.values()].flatMap((running) => [
      ` => ERROR ${this.#title(running.vertex)}`,
      ...running.said.trimEnd().split('\n').slice(-shownAtFailure).map((line) => `    ${line}`),
    ]);
    this.#running.clear();
    this.draw(lines.filter((line) => line.trim() !== ''));
  }

  clear(): void {
    this.#running.clear();
    this.draw([]);
  }

  /** These lines stay; what goes on is drawn anew below them. */
  draw(lines: readonly string[]): void {
    const { write, columns } = this.output;
    const nowMs = Date.now();
    const live = [...this.#running.values()].map((running) => this.#liveLine(running, nowMs));
    const back = this.#live === 0 ? '' : `\x1b[${this.#live}A`;
    const clean = [...lines, ...live.map((line) => line.slice(0, Math.max(20, columns - 1)))];
    if (back === '' && clean.length === 0) return;
    write(`${back}\r\x1b[J${clean.map((line) => `${line}\n`).join('')}`);
    this.#live = live.length;
  }

  #plan({ Vertices: vertices, Total: total }: NonNullable<Aux['Plan']>): void {
    this.#total = total;
    for (const vertex of vertices) {
      this.#vertices.set(vertex.Digest, vertex);
      const name = /^FROM\b.*\sAS\s+(\S+)\s*$/i.exec(vertex.Name)?.[1];
      if (name !== undefined) this.#stages.set(vertex.Stage, name);
    }
  }

  #happen(event: NonNullable<Aux['Event']>): void {
    const { Kind: kind, Digest: digest, Text: text = '', AtMs: atMs = Date.now() } = event;
    const vertex = this.#vertices.get(digest);
    const running = this.#running.get(digest);
    if (kind === 'started' && vertex !== undefined) {
      this.#running.set(digest, { vertex, sinceMs: atMs, isCached: false, said: '' });
      this.draw([]);
    }
    if (running === undefined) return;
    if (kind === 'cached') running.isCached = true;
    if (kind === 'log') running.said = `${running.said}${text}`.slice(-maxSaidCharacters);
    if (kind !== 'completed') return;
    this.#running.delete(digest);
    const state = running.isCached ? 'CACHED' : seconds(atMs - running.sinceMs);
    this.draw([` => ${this.#title(running.vertex)}  ${state}`]);
  }

  #liveLine({ vertex, sinceMs, said }: Running, nowMs: number): string {
    const last = said.trimEnd().split('\n').at(-1) ?? '';
    const shown = last === '' ? '' : `  ${printable(last)}`;
    return ` => ${this.#title(vertex)}  ${seconds(nowMs - sinceMs)}${shown}`;
  }

  #title({ Name: name, Stage: stage, Number: number }: Vertex): string {
    const [first = ''] = name.split('\n');
    return `[${this.#stages.get(stage) ?? `stage-${stage}`} ${number}/${this.#total}] ${first}`;
  }
}

function seconds(ms: number): string {
  return `${(Math.max(0, ms) / 1000).toFixed(1)}s`;
}

/** Nothing of a step's output moves the cursor. */
function printable(text: string): string {
  return text.replace(/\u001b\[[0-9;]*[A-Za-z]|[\u0000-\u001f\u007f]/g, '');
}
