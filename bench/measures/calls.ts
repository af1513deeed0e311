import { performance } from 'node:perf_hooks';
import { create, removeAll } from '../container.js';
import type { Measure, Plan } from '../subject.js';

const listed = 200;

/** How many plain requests an engine answers in a second, one after the other. */
export function callMeasures({ image, isQuick }: Plan): readonly Measure[] {
  const calls = isQuick ? 200 : 1000;
  const rate = async (act: () => Promise<unknown>, count = calls): Promise<number> => {
    const start = performance.now();
    for (let done = 0; done < count; done++) await act();
    return (count / (performance.now() - start)) * 1000;
  };
  return [
    {
      name: '_ping, one after the other',
      unit: '1/s',
      better: 'higher',
      rounds: 5,
      run: ({ client }) => rate(() => client.text('GET', '/_ping')),
    },
    {
      name: `list of ${listed} containers`,
      unit: '1/s',
      better: 'higher',
      target: { ratio: 1 },
      rounds: 3,
      run: async ({ client }) => {
        const ids: string[] = [];
        const wish = { image, command: ['/bin/true'], network: 'none' };
        try {
          for (let made = 0; made < listed; made++) ids.push(await create(client, wish));
          return await rate(() => client.text('GET', '/containers/json?all=1'), calls / 10);
        } finally {
          await removeAll(client, ids);
        }
      },
    },
  ];
}
