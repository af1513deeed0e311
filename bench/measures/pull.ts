import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import type { JsonMessage } from '../../api-spec/stream.js';
import { diskAtRest } from '../processes.js';
import type { Measure, Plan, Subject } from '../subject.js';

interface Pulled {
  readonly totalMs: number;
  /** From the last byte of the last layer to the end. */
  readonly unpackMs: number;
}

/** The big image from a local registry, from nothing to ready. */
export function pullMeasures({ isQuick }: Plan, repository: string): readonly Measure[] {
  const last = new Map<string, Pulled>();
  const rounds = isQuick ? 1 : 3;
  return [
    {
      name: 'pull from a local registry',
      unit: 'ms',
      better: 'lower',
      target: { ratio: 2 },
      rounds,
      run: async (subject) => {
        const pulled = await pull(subject, repository);
        if (pulled === undefined) return undefined;
        last.set(subject.name, pulled);
        return pulled.totalMs;
      },
    },
    {
      name: 'of it, after the last byte had come',
      unit: 'ms',
      better: 'lower',
      rounds: 1,
      run: async ({ name }) => last.get(name)?.unpackMs,
    },
  ];
}

async function pull(
  { client, registry }: Subject,
  repository: string,
): Promise<Pulled | undefined> {
  if (registry === undefined) return undefined;
  const name = `${registry}/${repository}`;
  await diskAtRest();
  const start = performance.now();
  let downloadedMs = start;
  const path = `/images/create?fromImage=${encodeURIComponent(name)}&tag=latest`;
  try {
    for await (const line of createInterface({ input: await client.open('POST', path) })) {
      // The shape is the API's promise for this stream.
      const message = JSON.parse(line) as JsonMessage;
      if (message.error !== undefined) throw new Error(`pull: ${message.error}`);
      if (message.status === 'Download complete') downloadedMs = performance.now();
    }
    const end = performance.now();
    return { totalMs: end - start, unpackMs: end - downloadedMs };
  } finally {
    await client.text('DELETE', `/images/${name}:latest?force=1`).catch(ignoreMissing);
  }
}

/** A pull that failed has left no image to remove. */
function ignoreMissing(problem: unknown): void {
  if (!(problem instanceof Error) || !/: 404 /.test(problem.message)) throw problem;
}
