import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { create, lifeOf, pidOf, removeAll } from '../container.js';
import { parentOf, proportionalBytes, residentBytes } from '../processes.js';
import type { Measure, Plan, Subject } from '../subject.js';
import { given, type Talk } from '../talk/index.js';

const megabyte = 1_000_000;
const crowd = 60;
/** How many requests of the crowd are under way at once. */
const lanes = 10;
/** Without a rest between them: the processor's caches still have what the one before needed. */
const inARow = 20;
const spacingMs = 100;
const settleMs = 30_000;
/** What the other engine has left to do when it has answered is not this one's to pay for. */
const restMs = 250;

/** The life of containers: alone, together, on each kind of network. */
export function lifecycleMeasures(plan: Plan): readonly Measure[] {
  const { image, isQuick } = plan;
  const rounds = isQuick ? 5 : 20;
  const single = { image, command: ['/bin/true'] };
  const timed = async ({ talker }: Subject, talk: Talk): Promise<number> => {
    await talker.ready(talk);
    await pause(restMs);
    return talker.ms(talk);
  };
  const bridged = lifeOf({ ...single, network: 'bridge' });
  const one = (name: string, wish: { network: string; publishes?: boolean }): Measure => ({
    name: `create, start, wait, remove: ${name}`,
    unit: 'ms',
    better: 'lower',
    target: { ratio: 20 },
    rounds,
    run: (subject) => timed(subject, { steps: lifeOf({ ...single, ...wish }) }),
  });
  return [
    one('no network', { network: 'none' }),
    one('bridge', { network: 'bridge' }),
    one('bridge and a published port', { network: 'bridge', publishes: true }),
    {
      name: 'one of twenty in a row, bridge',
      unit: 'ms',
      better: 'lower',
      rounds: isQuick ? 1 : 5,
      run: async (subject) =>
        (await timed(subject, { steps: bridged, times: inARow })) / inARow,
    },
    {
      name: 'ten at once, bridge',
      unit: 'ms',
      better: 'lower',
      target: { ratio: 12 },
      rounds: isQuick ? 3 : 7,
      run: (subject) => timed(subject, { steps: bridged, lanes: 10 }),
    },
    {
      name: 'start on a user network with a port, 100 ms apart',
      unit: 'ms',
      better: 'lower',
      target: { ratio: 15 },
      rounds: isQuick ? 1 : 3,
      run: (subject) => spacedStarts(subject, plan),
    },
  ];
}

/** The mean of ten starts, each begun a while after the one before was answered. */
async function spacedStarts({ client, talker }: Subject, { image, prefix }: Plan): Promise<number> {
  const network = `${prefix}-net`;
  const ids: string[] = [];
  await client.text('POST', '/networks/create', { body: { Name: network, Driver: 'bridge' } });
  try {
    const wish = { image, command: ['/bin/sleep', '1000'], network, publishes: true };
    for (let made = 0; made < 10; made++) ids.push(await create(client, wish));
    let totalMs = 0;
    const request = ['POST', `/containers/${given}/start`] as const;
    const talk = { steps: [{ line: 0, request, until: 'end' }] } as const;
    await talker.ready(talk);
    for (const id of ids) {
      await pause(spacingMs);
      totalMs += await talker.ms({ ...talk, id });
    }
    return totalMs / ids.length;
  } finally {
    await removeAll(client, ids);
    await client.text('DELETE', `/networks/${network}`);
  }
}

interface Crowd {
  readonly startedMs: number;
  readonly keeperBytes: number;
  readonly idleBytes: number;
}

/** What sixty containers cost: time, memory of each one's keeper, and what the daemon keeps. */
export function crowdMeasures(plan: Plan): readonly Measure[] {
  const seen = new Map<string, Crowd>();
  const settle = plan.isQuick ? settleMs / 10 : settleMs;
  const of = async (subject: Subject): Promise<Crowd> => {
    const known = seen.get(subject.name);
    if (known !== undefined) return known;
    const found = await meetCrowd(subject, plan, settle);
    seen.set(subject.name, found);
    return found;
  };
  const once = { better: 'lower', rounds: 1 } as const;
  return [
    {
      ...once,
      name: 'sixty created and started, bridge',
      unit: 'ms',
      run: async (subject) => (await of(subject)).startedMs,
    },
    {
      ...once,
      name: 'keeper of one container (shim), PSS',
      unit: 'MB',
      target: { bound: 0.15 },
      run: async (subject) => (await of(subject)).keeperBytes / megabyte,
    },
    {
      ...once,
      name: `daemon ${settle / 1000} s after sixty came and went, RSS`,
      unit: 'MB',
      target: { bound: 100 },
      run: async (subject) => {
        const { idleBytes } = await of(subject);
        return idleBytes === 0 ? undefined : idleBytes / megabyte;
      },
    },
  ];
}

async function meetCrowd(
  { client, pids }: Subject,
  { image }: Plan,
  settle: number,
): Promise<Crowd> {
  const ids: string[] = [];
  try {
    const start = performance.now();
    const lane = async (): Promise<void> => {
      for (let made = 0; made < crowd / lanes; made++) {
        const wish = { image, command: ['/bin/sleep', '1000'], network: 'bridge' };
        const id = await create(client, wish);
        ids.push(id);
        await client.text('POST', `/containers/${id}/start`);
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    const startedMs = performance.now() - start;
    const keepers = await Promise.all(ids.map(async (id) => parentOf(await pidOf(client, id))));
    const sizes = keepers.map((pid) => (pid === undefined ? undefined : proportionalBytes(pid)));
    const known = sizes.filter((size) => size !== undefined);
    const keeperBytes = known.reduce((sum, size) => sum + size, 0) / known.length;
    await removeAll(client, ids.splice(0));
    await pause(settle);
    const idleBytes = pids().reduce((sum, pid) => sum + residentBytes(pid), 0);
    return { startedMs, keeperBytes, idleBytes };
  } finally {
    await removeAll(client, ids);
  }
}
