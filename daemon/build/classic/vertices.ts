/** What a build tells, as lines for a client that shows stages and steps by itself. */
import type { JsonMessage } from '../../../api-spec/index.js';
import type { BuildEvent, BuildObserver } from '../progress.js';
import type { LineSink } from './render.js';

/** All that happens, when it happens: `aux.Plan` first, then one `aux.Event` each. */
export function renderVertices(sink: LineSink): BuildObserver {
  return {
    planned: ({ vertices, numbers, total }) => {
      const known = vertices.map(({ digest, name, stage }) => ({
        Digest: digest,
        Name: name,
        Stage: stage,
        Number: numbers.get(digest) ?? 0,
      }));
      void sink({ aux: { Plan: { Vertices: known, Total: total } } });
    },
    tell: (event) => sink(lineOf(event)),
  };
}

function lineOf(event: BuildEvent): JsonMessage {
  if (event.kind === 'pull') return event.message;
  const { kind, digest } = event;
  const log = kind === 'log' ? { Text: event.text, Stream: event.stream } : {};
  const end = kind === 'completed' && event.endsStage && event.imageId !== '';
  const image = end ? { ID: event.imageId } : {};
  const time = kind === 'started' || kind === 'completed' ? { AtMs: event.atMs } : {};
  return { aux: { ...image, Event: { Kind: kind, Digest: digest, ...log, ...time } } };
}
