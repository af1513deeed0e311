import { test } from 'tap';
import { renderClassic } from '../../../daemon/build/classic/render.js';
import type { Vertex } from '../../../daemon/build/progress.js';

const vertex = (digest: string): Vertex => ({
  digest,
  inputs: [],
  name: `RUN ${digest}`,
  stage: 0,
});

function page() {
  let text = '';
  const observer = renderClassic(async ({ stream, aux }) => {
    text += stream ?? `${JSON.stringify(aux)}\n`;
  });
  const vertices = [vertex('a'), vertex('b')];
  const numbers = new Map([['a', 2], ['b', 3]]);
  observer.planned({ vertices, numbers, total: 3, preamble: ['ARG X'], warnings: [] });
  const tell = (digest: string, event: object): Promise<void> =>
    // Each test gives the fields of the event that it names.
    observer.tell({ digest, atMs: 0, ...event } as Parameters<typeof observer.tell>[0]);
  const end = { kind: 'completed', imageId: 'sha256:0123456789abcdef', endsStage: true };
  return { tell, end, text: () => text };
}

test('what comes too early is shown in its turn', async (t) => {
  const { tell, end, text } = page();
  await tell('b', { kind: 'started' });
  await tell('b', { kind: 'log', stream: 'stdout', text: 'early\n' });
  await tell('a', { kind: 'started' });
  t.equal(text(), 'Step 1/3 : ARG X\nStep 2/3 : RUN a\n');
  await tell('a', { kind: 'log', stream: 'stderr', text: 'err\n' });
  await tell('b', { ...end });
  await tell('a', { ...end, endsStage: false });
  t.equal(
    text(),
    'Step 1/3 : ARG X\nStep 2/3 : RUN a\n\u001b[91merr\n\u001b[0m ---> 0123456789ab\n' +
      'Step 3/3 : RUN b\nearly\n ---> 0123456789ab\n{"ID":"sha256:0123456789abcdef"}\n',
  );
});

test('a step that says too much before its turn waits', async (t) => {
  const { tell, end } = page();
  const big = 'x'.repeat(5 * 1024 * 1024);
  let waits = true;
  const said = tell('b', { kind: 'log', stream: 'stdout', text: big }).then(() => (waits = false));
  await new Promise(setImmediate);
  t.ok(waits);
  await tell('a', { ...end });
  await said;
  t.notOk(waits);
});
