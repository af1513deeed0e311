/**
 * The same requests to tsdockerd and to the reference engine that REFERENCE_DOCKER_HOST names:
 * what differs, and is not in the list of intended differences, fails. DIFFERENTIAL_ONLY is a
 * pattern of the cases to be run; DIFFERENTIAL_REPORT a file for all that differs.
 */
import { appendFileSync } from 'node:fs';
import { test } from 'tap';
import { startDaemon } from '../../support/daemon.js';
import { compareAnswers } from './compare.js';
import { reasonFor } from './intended.js';
import type { Case, Request } from './request.js';
import { containerCases } from './requests/containers.js';
import { createCases } from './requests/create.js';
import { execCases } from './requests/exec.js';
import { objectCases } from './requests/objects.js';
import { protocolCases } from './requests/protocol.js';
import { systemCases } from './requests/system.js';
import { openScene, type Scene } from './scene.js';

const groups: Readonly<Record<string, readonly Case[]>> = {
  protocol: protocolCases,
  system: systemCases,
  containers: containerCases,
  create: createCases,
  exec: execCases,
  'images, networks and volumes': objectCases,
};

const reference = process.env['REFERENCE_DOCKER_HOST'];
const only = new RegExp(process.env['DIFFERENTIAL_ONLY'] ?? '');
const reportPath = process.env['DIFFERENTIAL_REPORT'];

interface Engines {
  readonly reference: Scene;
  readonly ours: Scene;
}

const both = <T>({ reference, ours }: Engines, run: (scene: Scene) => Promise<T>) =>
  Promise.all([run(reference), run(ours)]);

async function unexplained(engines: Engines, { name }: Case, request: Request): Promise<string[]> {
  const [theirs, mine] = await both(engines, (scene) => scene.send(request));
  const differences = compareAnswers(
    { answer: theirs, names: engines.reference.names },
    { answer: mine, names: engines.ours.names },
    request.depth ?? 'shape',
  );
  const of = `${name} ▸ ${request.method} ${request.path}`;
  return differences
    .filter((difference) => reasonFor(of, difference) === undefined)
    .map((difference) => JSON.stringify({ of, ...difference }));
}

async function runCase(engines: Engines, one: Case): Promise<string[]> {
  const { on } = one;
  if (on !== undefined) await both(engines, (scene) => scene.makeOwn(on));
  const found: string[] = [];
  try {
    for (const request of one.requests) found.push(...(await unexplained(engines, one, request)));
  } finally {
    await both(engines, (scene) => scene.clear());
  }
  return found;
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
  for (const [group, cases] of Object.entries(groups)) {
    await t.test(group, async (t) => {
      const chosen = cases.filter(({ name }) => only.test(`${group}: ${name}`));
      for (const one of chosen) {
        const found = await runCase(engines, one).catch((error: unknown) => [String(error)]);
        if (reportPath !== undefined)
          for (const line of found) appendFileSync(reportPath, `${line}\n`);
        if (found.length > 0) t.fail(one.name, { found });
        else t.pass(one.name);
      }
    });
  }
});
