import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '../client.js';
import { create, removeAll } from '../container.js';
import { residentBytes } from '../processes.js';
import type { Measure, Plan, Subject } from '../subject.js';
import { given, made, type Step } from '../talk/index.js';

const megabyte = 1_000_000;
const followers = 50;
const crowd = 60;
const restMs = 250;
/** How many execs follow each other in one round. */
export const execsInARow = 30;

const sleeping = ['/bin/sleep', '1000'];
/** Ends at once when it is told to. */
const obedient = ['/bin/sh', '-c', 'trap "exit 0" TERM; sleep 1000 & wait'];

/** Execs, stops, removals of what runs, and many who follow one log. */
export function streamMeasures(plan: Plan): readonly Measure[] {
  const { image, isQuick } = plan;
  const lower = { unit: 'ms', better: 'lower' } as const;
  return [
    {
      ...lower,
      name: 'exec: create, start, output, inspect',
      target: { ratio: 15 },
      rounds: isQuick ? 1 : 3,
      run: (subject) => meanExec(subject, image, isQuick ? 10 : execsInARow),
    },
    {
      ...lower,
      name: 'stop of a container that obeys SIGTERM',
      target: { ratio: 5 },
      rounds: isQuick ? 3 : 10,
      run: (subject) => stopOne(subject, image),
    },
    {
      ...lower,
      name: 'sixty running ones removed',
      target: { ratio: 10 },
      rounds: 1,
      run: ({ client }) => removeCrowd(client, image),
    },
    {
      name: `daemon with ${followers} followers of one log, RSS`,
      unit: 'MB',
      better: 'lower',
      target: { bound: 250 },
      rounds: 1,
      run: (subject) => followedBytes(subject, plan),
    },
  ];
}

async function withContainer<Result>(
  client: Client,
  wish: { readonly image: string; readonly command: readonly string[] },
  act: (id: string) => Promise<Result>,
): Promise<Result> {
  const id = await create(client, { ...wish, network: 'none' });
  try {
    await client.text('POST', `/containers/${id}/start`);
    return await act(id);
  } finally {
    await removeAll(client, [id]);
  }
}

function meanExec({ client, talker }: Subject, image: string, times: number): Promise<number> {
  const talk = { steps: execSteps(), times };
  return withContainer(client, { image, command: sleeping }, async (id) => {
    await talker.ready(talk);
    await pause(restMs);
    return (await talker.ms({ ...talk, id })) / times;
  });
}

/** One exec as a client sees it: made, started, read to its end, asked for its exit code. */
export function execSteps(): readonly Step[] {
  const wish = { Cmd: ['/bin/true'], AttachStdout: true, AttachStderr: true };
  const start = { Detach: false, Tty: false };
  return [
    { line: 0, request: ['POST', `/containers/${given}/exec`, wish], until: 'end' },
    { line: 1, request: ['POST', `/exec/${made}/start`, start], until: 'end' },
    { line: 0, request: ['GET', `/exec/${made}/json`], until: 'end', expected: '"ExitCode":0' },
  ];
}

function stopOne({ client, talker }: Subject, image: string): Promise<number> {
  const request = ['POST', `/containers/${given}/stop`] as const;
  const talk = { steps: [{ line: 0, request, until: 'end' }] } as const;
  return withContainer(client, { image, command: obedient }, async (id) => {
    await talker.ready(talk);
    await pause(restMs);
    return talker.ms({ ...talk, id });
  });
}

async function removeCrowd(client: Client, image: string): Promise<number> {
  const ids: string[] = [];
  try {
    for (let made = 0; made < crowd; made++) {
      const id = await create(client, { image, command: sleeping, network: 'bridge' });
      ids.push(id);
      await client.text('POST', `/containers/${id}/start`);
    }
    await pause(restMs);
    const start = performance.now();
    await removeAll(client, ids);
    return performance.now() - start;
  } finally {
    await removeAll(client, ids);
  }
}

/** The most that the daemon holds while lines come and everybody reads them. */
async function followedBytes(
  { client, pids }: Subject,
  { image, isQuick }: Plan,
): Promise<number | undefined> {
  const files = new Array<string>(isQuick ? 2 : 8).fill('/lines').join(' ');
  const command = ['/bin/sh', '-c', `sleep 2; /bin/cat ${files}`];
  return withContainer(client, { image, command }, async (id) => {
    const path = `/containers/${id}/logs?stdout=1&follow=1`;
    const reading = Array.from({ length: followers }, () => client.drain('GET', path));
    const state = { isOver: false, most: 0 };
    const watch = async (): Promise<void> => {
      while (!state.isOver) {
        const bytes = pids().reduce((sum, pid) => sum + residentBytes(pid), 0);
        state.most = Math.max(state.most, bytes);
        await pause(50);
      }
    };
    const watching = watch();
    const sizes = await Promise.all(reading);
    state.isOver = true;
    await watching;
    if (new Set(sizes).size > 1) throw new Error('not every follower saw the same');
    return state.most === 0 ? undefined : state.most / megabyte;
  });
}
