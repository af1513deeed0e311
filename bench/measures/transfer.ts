import { createReadStream } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import type { JsonMessage } from '../../api-spec/stream.js';
import type { Client } from '../client.js';
import { diskAtRest, residentBytes } from '../processes.js';
import type { Measure, Plan, Subject } from '../subject.js';

/** Where the big image is: at the registry, and as an archive. */
export interface BigImage {
  /** Its repository at the registry. */
  readonly repository: string;
  /** A docker archive of plain layers, as `docker save` writes it; the name in it is `loaded`. */
  readonly archive: string;
  readonly loaded: string;
}

const memorySampleMs = 50;

/** The big image out of an archive, into one, and to a registry that has nothing of it. */
export function transferMeasures({ isQuick, prefix }: Plan, image: BigImage): readonly Measure[] {
  const rounds = isQuick ? 1 : 3;
  const peaks = new Map<string, number>();
  let pushes = 0;
  const common = { unit: 'ms', better: 'lower', rounds } as const;
  const target = (): string => `${prefix}/pushed${(pushes += 1)}`;
  return [
    {
      ...common,
      name: 'load from an archive',
      target: { ratio: 2 },
      run: (subject) =>
        withPeak(subject, peaks, () =>
          withLoaded(subject, image, async (elapsedMs) => elapsedMs),
        ),
    },
    {
      ...common,
      name: 'save of what was pulled',
      target: { ratio: 1 },
      run: (subject) =>
        withPulled(subject, image, (name) => timed(() => save(subject.client, name))),
    },
    {
      ...common,
      name: 'push of what was pulled',
      target: { ratio: 1 },
      run: (subject) =>
        withPulled(subject, image, (name) => timed(() => push(subject, name, target()))),
    },
    {
      ...common,
      name: 'push of what was loaded',
      target: { ratio: 1 },
      run: (subject) =>
        withLoaded(subject, image, () =>
          timed(() => push(subject, `${image.loaded}:latest`, target())),
        ),
    },
    {
      name: 'largest memory during the load',
      unit: 'MB',
      better: 'lower',
      rounds: 1,
      run: async ({ name }) => peaks.get(name),
    },
  ];
}

/** Begins with a disk at rest: one engine does not wait for what another has not written. */
async function timed(work: () => Promise<void>): Promise<number> {
  await diskAtRest();
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Keeps the most memory that the engine's processes had together meanwhile. */
async function withPeak<T>(
  { name, pids }: Subject,
  peaks: Map<string, number>,
  work: () => Promise<T>,
): Promise<T> {
  const timer = setInterval(() => {
    const megabytes = pids().reduce((sum, pid) => sum + residentBytes(pid), 0) / 1e6;
    if (megabytes > (peaks.get(name) ?? 0)) peaks.set(name, megabytes);
  }, memorySampleMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

async function withPulled<T>(
  { client, registry }: Subject,
  { repository }: BigImage,
  work: (name: string) => Promise<T>,
): Promise<T | undefined> {
  if (registry === undefined) return undefined;
  const name = `${registry}/${repository}`;
  const path = `/images/create?fromImage=${encodeURIComponent(name)}&tag=latest`;
  try {
    await readProgress(client, path);
    return await work(`${name}:latest`);
  } finally {
    await remove(client, `${name}:latest`);
  }
}

async function withLoaded<T>(
  { client, registry }: Subject,
  { archive, loaded }: BigImage,
  work: (elapsedMs: number) => Promise<T>,
): Promise<T | undefined> {
  if (registry === undefined) return undefined;
  try {
    const elapsedMs = await timed(() =>
      readProgress(client, '/images/load?quiet=1', {
        stream: createReadStream(archive),
        type: 'application/x-tar',
      }),
    );
    return await work(elapsedMs);
  } finally {
    await remove(client, `${loaded}:latest`);
  }
}

async function save(client: Client, name: string): Promise<void> {
  await client.drain('GET', `/images/${name}/get`);
}

async function push({ client, registry }: Subject, name: string, target: string): Promise<void> {
  const tagged = `${registry ?? ''}/${target}`;
  await client.text('POST', `/images/${name}/tag?repo=${encodeURIComponent(tagged)}&tag=1`);
  try {
    await readProgress(client, `/images/${tagged}/push?tag=1`, { headers: noCredentials });
  } finally {
    await remove(client, `${tagged}:1`);
  }
}

/** `{}`: Docker wants the header. */
const noCredentials = { 'X-Registry-Auth': 'e30=' };

async function readProgress(
  client: Client,
  path: string,
  parts?: Parameters<Client['open']>[2],
): Promise<void> {
  for await (const line of createInterface({ input: await client.open('POST', path, parts) })) {
    // The shape is the API's promise for this stream.
    const message = JSON.parse(line) as JsonMessage;
    if (message.error !== undefined) throw new Error(`${path}: ${message.error}`);
  }
}

/** What failed has left no image to remove. */
async function remove(client: Client, name: string): Promise<void> {
  try {
    await client.text('DELETE', `/images/${name}?force=1`);
  } catch (problem) {
    if (!(problem instanceof Error) || !/: 404 /.test(problem.message)) throw problem;
  }
}
