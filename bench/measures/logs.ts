import { performance } from 'node:perf_hooks';
import type { Client } from '../client.js';
import { create, removeAll } from '../container.js';
import { linesFileBytes } from '../image.js';
import { median } from '../statistics.js';
import type { Measure, Plan } from '../subject.js';

const megabyte = 1_000_000;

interface Rates {
  readonly written: number;
  readonly read: number;
}

/** How fast lines of 100 bytes go into the log, and out of it again. */
export function logMeasures({ image, isQuick }: Plan): readonly Measure[] {
  const copies = isQuick ? 3 : 20;
  const writtenBytes = copies * linesFileBytes;
  const command = ['/bin/cat', ...new Array<string>(copies).fill('/lines')];
  const common = { unit: 'MB/s', better: 'higher', rounds: isQuick ? 1 : 3 } as const;

  const measure = async (client: Client): Promise<Rates> => {
    const id = await create(client, { image, command, network: 'none' });
    try {
      const start = performance.now();
      const wait = await client.begin('POST', `/containers/${id}/wait?condition=next-exit`);
      await client.text('POST', `/containers/${id}/start`);
      await wait.body;
      const written = rate(writtenBytes, performance.now() - start);
      const readStart = performance.now();
      const readBytes = await client.drain('GET', `/containers/${id}/logs?stdout=1`);
      return { written, read: rate(readBytes, performance.now() - readStart) };
    } finally {
      await removeAll(client, [id]);
    }
  };
  const reads = new Map<string, number[]>();
  return [
    {
      ...common,
      name: 'log written, data on disk',
      target: { ratio: 2 },
      run: async ({ client, name }) => {
        const { written, read } = await measure(client);
        reads.set(name, [...(reads.get(name) ?? []), read]);
        return written;
      },
    },
    {
      ...common,
      name: 'log written, data on tmpfs',
      target: { ratio: 3 },
      run: async ({ onTmpfs }) => (
        onTmpfs === undefined ? undefined : (await measure(onTmpfs)).written
      ),
    },
    {
      ...common,
      name: 'log read',
      target: { ratio: 3 },
      rounds: 1,
      run: async ({ name }) => median(reads.get(name) ?? []),
    },
  ];
}

function rate(bytes: number, elapsedMs: number): number {
  return bytes / megabyte / (elapsedMs / 1000);
}
