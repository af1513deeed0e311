import { performance } from 'node:perf_hooks';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { meanOf } from '../statistics.js';
import type { Measure, Plan, Subject } from '../subject.js';

const stepCount = 20;
/** How many cached builds follow each other in one round. */
const cachedInARow = 10;

/** A Dockerfile of small steps: everything anew, then everything out of the cache. */
export function buildMeasures({ isQuick, image, prefix }: Plan): readonly Measure[] {
  const rounds = isQuick ? 1 : 3;
  const steps = Array.from({ length: stepCount }, (_, step) => `RUN echo ${step} > /f${step}`);
  const dockerfile = [`FROM ${image}`, ...steps].join('\n');
  const tag = `${prefix}-build`;
  const what = { dockerfile, tag };
  return [
    {
      name: 'build of twenty small steps',
      unit: 'ms',
      better: 'lower',
      target: { ratio: 8 },
      rounds,
      run: (subject) => removing(subject, tag, () => build(subject, { ...what, isCold: true })),
    },
    {
      name: 'the same, all of it cached',
      unit: 'ms',
      better: 'lower',
      target: { ratio: 1 },
      rounds,
      run: (subject) =>
        removing(subject, tag, async () => {
          await build(subject, { ...what, isCold: false });
          return meanOf(cachedInARow, () => build(subject, { ...what, isCold: false }));
        }),
    },
  ];
}

interface Build {
  readonly dockerfile: string;
  readonly tag: string;
  /** Whether everything is done anew. */
  readonly isCold: boolean;
}

async function removing(
  { client }: Subject,
  tag: string,
  work: () => Promise<number>,
): Promise<number> {
  const tookMs = await work();
  await client.text('DELETE', `/images/${tag}?force=1`);
  return tookMs;
}

async function build({ client }: Subject, { dockerfile, tag, isCold }: Build): Promise<number> {
  const tar = pack();
  tar.entry({ name: 'Dockerfile' }, dockerfile);
  tar.finalize();
  const body = await buffer(tar);
  const start = performance.now();
  const text = await client.text('POST', `/build?t=${tag}&nocache=${isCold ? 1 : 0}`, { body });
  const tookMs = performance.now() - start;
  if (!text.includes('Successfully built')) throw new Error(`build: ${text.slice(-500)}`);
  return tookMs;
}
