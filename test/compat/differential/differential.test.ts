/**
 * The same requests to tsdockerd and to the reference engine that REFERENCE_DOCKER_HOST names:
 * what differs, and is not in the list of intended differences, fails; so does an entry of that
 * list by which nothing differs any more. DIFFERENTIAL_ONLY is a pattern of the cases to be run;
 * DIFFERENTIAL_REPORT a file for all that differs, a line of JSON each, with the reason if any.
 */
import { appendFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { test } from 'tap';
import { startDaemon } from '../../support/daemon.js';
import { compareAnswers, type Difference } from './compare.js';
import { intended, intentionFor } from './intended.js';
import type { Intended } from './intention.js';
import type { Case, Request } from './request.js';
import { containerCases } from './requests/containers.js';
import { createCases } from './requests/create.js';
import { execCases } from './requests/exec.js';
import { lifeCases } from './requests/lives.js';
import { objectCases } from './requests/objects.js';
import { protocolCases } from './requests/protocol.js';
import { systemCases } from './requests/system.js';
import { openScene, type Scene } from './scene.js';

const groups: Readonly<Record<string, readonly Case[]>> = {
  protocol: protocolCases,
  system: systemCases,
  containers: containerCases,
  create: createCases,
  lives: lifeCases,
  exec: execCases,
  'images, networks and volumes': objectCases,
};

const reference = process.env['REFERENCE_DOCKER_HOST'];
const only = process.env['DIFFERENTIAL_ONLY'];
const reportPath = process.env['DIFFERENTIAL_REPORT'];

interface Engines {
  readonly reference: Scene;
  readonly ours: Scene;
}

/** One thing that differs, in one answer. */
interface Found extends Difference {
  readonly of: string;
  readonly intention: Intended | undefined;
}

const both = <T>({ reference, ours }: Engines, run: (scene: Scene) => Promise<T>) =>
  Promise.all([run(reference), run(ours)]);

/** Within this time an engine has told of the end of a process. */
const settleMs = 5000;
const betweenAsksMs = 100;

/** What differs in the end: one engine may tell of something a moment after the other. */
async function differences(engines: Engines, one: Case, request: Request): Promise<Found[]> {
  const until = Date.now() + (request.settles === true ? settleMs : 0);
  for (;;) {
    const found = await compareOnce(engines, one, request);
    const isSettled = found.every(({ intention }) => intention !== undefined);
    if (isSettled || Date.now() >= until) return found;
    await setTimeout(betweenAsksMs);
  }
}

async function compareOnce(engines: Engines, { name }: Case, request: Request): Promise<Found[]> {
  const [theirs, mine] = await both(engines, (scene) => scene.send(request));
  const found = compareAnswers(
    { answer: theirs, names: engines.reference.names },
    { answer: mine, names: engines.ours.names },
    request.depth ?? 'shape',
  );
  const of = `${name} ▸ ${request.method} ${request.path}`;
  return found.map((one) => ({ of, ...one, intention: intentionFor(of, one) }));
}

async function runCase(engines: Engines, one: Case): Promise<Found[]> {
  const { on } = one;
  if (on !== undefined) await both(engines, (scene) => scene.makeOwn(on));
  const found: Found[] = [];
  try {
    for (const request of one.requests) found.push(...(await differences(engines, one, request)));
  } finally {
    await both(engines, (scene) => scene.clear());
  }
  return found;
}

/** A case that could not be run, as a difference without a reason. */
const broken = ({ name }: Case) => (error: unknown): Found[] => [
  { of: name, path: 'case', reference: '', ours: String(error), intention: undefined },
];

function report(found: readonly Found[]): void {
  if (reportPath === undefined) return;
  for (const { intention, ...one } of found)
    appendFileSync(reportPath, `${JSON.stringify({ ...one, reason: intention?.reason })}\n`);
}

test('tsdockerd answers as the reference engine does', {
  skip: reference === undefined && 'REFERENCE_DOCKER_HOST is not set',
}, async (t) => {
  const daemon = await startDaemon(t);
  const scenes = await Promise.all([
    openScene((reference ?? '').replace('unix://', '')),
    openScene(daemon.socket),
  ]);
  const engines = { reference: scenes[0], ours: scenes[1] };
  t.teardown(() => both(engines, (scene) => scene.close()));
  const used = new Set<Intended>();
  for (const [group, cases] of Object.entries(groups)) {
    await t.test(group, async (t) => {
      const chosen = cases.filter(({ name }) => new RegExp(only ?? '').test(`${group}: ${name}`));
      const counts = { equal: 0, intended: 0 };
      for (const one of chosen) {
        const found = await runCase(engines, one).catch(broken(one));
        report(found);
        for (const { intention } of found) if (intention !== undefined) used.add(intention);
        const unexplained = found.filter(({ intention }) => intention === undefined);
        t.same(unexplained, [], one.name);
        if (found.every(({ intention }) => intention?.everywhere === true)) counts.equal += 1;
        else if (unexplained.length === 0) counts.intended += 1;
      }
      const rest = chosen.length - counts.equal - counts.intended;
      t.comment(`${group}: ${chosen.length} cases, ${counts.equal} equal, ` +
        `${counts.intended} differ as intended, ${rest} unexplained`);
    });
  }
  await t.test('every intended difference is one', {
    skip: (only ?? '') !== '' && 'not all cases were run',
  }, async (t) => {
    const lasting = intended.filter(({ isChance }) => isChance !== true);
    const unused = lasting.filter((entry) => !used.has(entry)).map(({ reason }) => reason);
    t.same(unused, []);
  });
});
