/**
 * Docker's classic text, made from what a build tells. Stages run side by side and are shown in the
 * Dockerfile's order: what comes too early waits, and where it is too much its step waits too.
 */
import type { JsonMessage } from '../../../api-spec/index.js';
import type { BuildEvent, BuildObserver, BuildOutline, Vertex } from '../progress.js';

/** Takes one line; settles when the client has room. */
export type LineSink = (message: JsonMessage) => Promise<void>;

/** How much of one vertex may wait to be shown. */
const maxWaitingCharacters = 4 * 1024 * 1024;

interface Pending {
  readonly vertex: Vertex;
  readonly events: BuildEvent[];
  characters: number;
  /** Called when it is shown. */
  readonly waiters: (() => void)[];
}

/** One build's text. */
export function renderClassic(sink: LineSink): BuildObserver {
  const page: Page = { sink, outline: undefined, line: (text) => sink({ stream: text }) };
  let queue: Pending[] = [];

  /** Shows what has come of the first vertices, up to one that is not complete. */
  const drain = (): Promise<void> => {
    let last: Promise<void> = Promise.resolve();
    for (let first = queue[0]; first !== undefined; first = queue[0]) {
      for (const event of first.events.splice(0)) {
        last = show(event, first.vertex, page);
        if (event.kind === 'completed') queue.shift();
      }
      first.characters = 0;
      for (const wake of first.waiters.splice(0)) wake();
      if (queue[0] === first) break;
    }
    return last;
  };

  return {
    planned: (planned) => {
      page.outline = planned;
      queue = planned.vertices.map((vertex) => ({
        vertex,
        events: [],
        characters: 0,
        waiters: [],
      }));
      for (const text of planned.warnings) void page.line(red(`${text}\n`));
      for (const [index, text] of planned.preamble.entries()) {
        void page.line(`Step ${index + 1}/${planned.total} : ${text}`);
        void page.line('\n');
      }
    },
    tell: (event) => {
      const pending = queue.find(({ vertex }) => vertex.digest === event.digest);
      if (pending === undefined) return Promise.resolve();
      pending.events.push(event);
      if (pending === queue[0]) return drain();
      if (event.kind !== 'log') return Promise.resolve();
      pending.characters += event.text.length;
      if (pending.characters <= maxWaitingCharacters) return Promise.resolve();
      return new Promise((resolve) => pending.waiters.push(resolve));
    },
  };
}

interface Page {
  readonly sink: LineSink;
  readonly line: (text: string) => Promise<void>;
  outline: BuildOutline | undefined;
}

function show(event: BuildEvent, vertex: Vertex, page: Page): Promise<void> {
  const { line, sink } = page;
  switch (event.kind) {
    case 'started':
      return showStart(vertex, page);
    case 'cached':
      return line(' ---> Using cache\n');
    case 'running':
      return line(` ---> Running in ${event.containerId.slice(0, 12)}\n`);
    case 'removed':
      return line(` ---> Removed intermediate container ${event.containerId.slice(0, 12)}\n`);
    case 'log':
      return line(event.stream === 'stderr' ? red(event.text) : event.text);
    case 'pull':
      return sink(event.message);
    case 'completed':
      return showEnd(event, page);
  }
}

function showStart(vertex: Vertex, { line, outline }: Page): Promise<void> {
  const number = outline?.numbers.get(vertex.digest) ?? 0;
  void line(`Step ${number}/${outline?.total ?? 0} : ${vertex.name}`);
  return line('\n');
}

function showEnd(
  { imageId, endsStage }: Extract<BuildEvent, { readonly kind: 'completed' }>,
  { line, sink }: Page,
): Promise<void> {
  const shown = line(` ---> ${shortId(imageId)}\n`);
  return endsStage && imageId !== '' ? sink({ aux: { ID: imageId } }) : shown;
}

/** Twelve digits. */
export function shortId(imageId: string): string {
  return imageId.replace(/^sha256:/, '').slice(0, 12);
}

function red(text: string): string {
  return `\u001b[91m${text}\u001b[0m`;
}
