import { create, removeAll } from '../container.js';
import type { Measure, Plan, Subject } from '../subject.js';

const listed = 200;

/** How many plain requests an engine answers in a second, one after the other. */
export function callMeasures({ image, isQuick }: Plan): readonly Measure[] {
  const calls = isQuick ? 200 : 1000;
  const rate = async ({ talker }: Subject, path: string, times = calls): Promise<number> => {
    const talk = { steps: [{ line: 0, request: ['GET', path], until: 'end' }], times } as const;
    await talker.ready(talk);
    return (times / (await talker.ms(talk))) * 1000;
  };
  return [
    {
      name: '_ping, one after the other',
      unit: '1/s',
      better: 'higher',
      rounds: 5,
      run: (subject) => rate(subject, '/_ping'),
    },
    {
      name: `list of ${listed} containers`,
      unit: '1/s',
      better: 'higher',
      target: { ratio: 1 },
      rounds: 3,
      run: async (subject) => {
        const { client } = subject;
        const ids: string[] = [];
        const wish = { image, command: ['/bin/true'], network: 'none' };
        try {
          for (let made = 0; made < listed; made++) ids.push(await create(client, wish));
          return await rate(subject, '/containers/json?all=1', calls / 10);
        } finally {
          await removeAll(client, ids);
        }
      },
    },
  ];
}
