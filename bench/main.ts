/** `npm run bench`: the same requests to tsdockerd and to a reference engine, in turn. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeArchive, makeBigImage } from './big-image.js';
import { openClient, type Client } from './client.js';
import { openFloor } from './floor/index.js';
import { importImage } from './image.js';
import { startLocalEngine } from './local-engine.js';
import { buildMeasures } from './measures/build.js';
import { callMeasures } from './measures/calls.js';
import { crowdMeasures, lifecycleMeasures } from './measures/lifecycle.js';
import { logMeasures } from './measures/logs.js';
import { runtimeMeasures } from './measures/oci-runtime.js';
import { pullMeasures } from './measures/pull.js';
import { streamMeasures } from './measures/streams.js';
import { transferMeasures, type BigImage } from './measures/transfer.js';
import { family, findProcess } from './processes.js';
import { serveRegistry } from './registry.js';
import { reportTable, type Result } from './report.js';
import { median, shown } from './statistics.js';
import type { Measure, Plan, Subject } from './subject.js';
import { Talker } from './talk/index.js';

const usage = `usage: npm run bench -- [--reference unix://SOCKET] [--reference-netns NAME]
         [--reference-tmpfs unix://SOCKET] [--socket unix://SOCKET] [--only WORD] [--quick]
         [--floor]
`;
const installedSocket = '/var/run/docker.sock';
const memoryFolder = '/dev/shm';
const repository = 'bench/big';

/** What is undone at the end, the last first. */
type Undo = () => Promise<void> | void;

interface Options {
  readonly socket: string | undefined;
  readonly reference: string | undefined;
  readonly referenceNetns: string | undefined;
  readonly referenceTmpfs: string | undefined;
  readonly only: string | undefined;
  readonly isQuick: boolean;
  /** Also what no engine can be faster than. */
  readonly withFloor: boolean;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      socket: { type: 'string' },
      reference: { type: 'string' },
      'reference-netns': { type: 'string' },
      'reference-tmpfs': { type: 'string' },
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      floor: { type: 'boolean', default: false },
    },
  });
  const path = (host: string | undefined): string | undefined => host?.replace(/^unix:\/\//, '');
  return {
    socket: path(values.socket),
    reference: path(values.reference) ?? (
      existsSync(installedSocket) ? installedSocket : undefined
    ),
    referenceNetns: values['reference-netns'],
    referenceTmpfs: path(values['reference-tmpfs']),
    only: values.only,
    isQuick: values.quick,
    withFloor: values.floor,
  };
}

async function main(): Promise<void> {
  const options = readOptions();
  const prefix = `tsbench${randomBytes(4).toString('hex')}`;
  const plan: Plan = { isQuick: options.isQuick, image: `${prefix}:1`, prefix };
  const undo: Undo[] = [];
  try {
    const scratch = mkdtempSync(join(tmpdir(), 'tsbench-'));
    undo.push(() => rmSync(scratch, { recursive: true, force: true }));
    const image: BigImage = {
      repository,
      archive: join(scratch, 'archive.tar'),
      loaded: `${prefix}-loaded`,
    };
    const measures = [
      ...(options.withFloor ? await floorRows(plan, undo) : []),
      ...chosenMeasures(plan, image, options.only),
    ];
    const needsImage = measures.some(({ name }) => /^(pull|load|save|push) /.test(name));
    const folder = needsImage ? await bigImage(plan, scratch, image) : undefined;
    const ours = await ourSubject(options, plan, { folder, undo });
    const theirs = await referenceSubject(options, plan, { folder, undo });
    const subjects = theirs === undefined ? [ours] : [ours, theirs];
    const results = await measureAll(measures, subjects);
    const hasOthers = results.some((each) => each.theirs.length > 0);
    process.stdout.write(`${reportTable(results, hasOthers)}\n`);
  } finally {
    await undoAll(undo);
  }
}

/** Tries everything, whatever fails: what is left behind is told. */
async function undoAll(undo: Undo[]): Promise<void> {
  for (const act of undo.reverse()) {
    try {
      await act();
    } catch (problem) {
      process.stderr.write(`left behind: ${String(problem)}\n`);
      process.exitCode = 1;
    }
  }
}

async function floorRows({ isQuick }: Plan, undo: Undo[]): Promise<readonly Measure[]> {
  const floor = await openFloor(isQuick ? 5 : 20);
  undo.push(floor.close);
  return floor.measures;
}

function chosenMeasures(
  plan: Plan,
  image: BigImage,
  only: string | undefined,
): readonly Measure[] {
  const all = [
    ...lifecycleMeasures(plan),
    ...callMeasures(plan),
    ...logMeasures(plan),
    ...streamMeasures(plan),
    ...buildMeasures(plan),
    ...pullMeasures(plan, image.repository),
    ...transferMeasures(plan, image),
    ...crowdMeasures(plan),
    ...runtimeMeasures(plan),
  ];
  return only === undefined ? all : all.filter(({ name }) => new RegExp(only).test(name));
}

interface Setting {
  /** The folder of the static registry. */
  readonly folder: string | undefined;
  readonly undo: Undo[];
}

/** The folder that the registry serves; the archive is made beside it. */
async function bigImage({ isQuick }: Plan, scratch: string, image: BigImage): Promise<string> {
  const folder = join(scratch, 'registry');
  mkdirSync(folder);
  process.stderr.write('making the image for pull, load, save and push …\n');
  const part = isQuick ? 0.1 : 1;
  await makeBigImage(folder, { files: 14_000 * part, compressedBytes: 100_000_000 * part });
  await makeArchive(folder, image.archive, image.loaded);
  return folder;
}

async function ourSubject(
  options: Options,
  plan: Plan,
  { folder, undo }: Setting,
): Promise<Subject> {
  const registry = folder === undefined ? undefined : await registryFor(folder, undefined, undo);
  const engine = options.socket === undefined ? await startLocalEngine() : undefined;
  if (engine !== undefined) undo.push(engine.stop);
  const socket = engine?.socket ?? options.socket ?? '';
  const client = await prepared(socket, plan, undo);
  const onTmpfs = engine === undefined ? undefined : await tmpfsClient(plan, undo);
  const pid = engine?.pid;
  return {
    name: 'tsdocker',
    client,
    talker: talkerOf(socket, undo),
    registry,
    onTmpfs,
    pids: () => (pid === undefined ? [] : family(pid, [])),
  };
}

async function tmpfsClient(plan: Plan, undo: Undo[]): Promise<Client | undefined> {
  if (!existsSync(memoryFolder)) return undefined;
  const engine = await startLocalEngine(memoryFolder);
  undo.push(engine.stop);
  return prepared(engine.socket, plan, undo);
}

async function referenceSubject(
  options: Options,
  plan: Plan,
  { folder, undo }: Setting,
): Promise<Subject | undefined> {
  const { reference, referenceNetns, referenceTmpfs } = options;
  if (reference === undefined) return undefined;
  const registry = folder === undefined ? undefined : await registryFor(
    folder,
    referenceNetns,
    undo,
  );
  const pid = findProcess('dockerd', reference);
  return {
    name: 'reference',
    client: await prepared(reference, plan, undo),
    talker: talkerOf(reference, undo),
    registry,
    onTmpfs: referenceTmpfs === undefined ? undefined : await prepared(referenceTmpfs, plan, undo),
    // Docker's daemon is two processes.
    pids: () => (pid === undefined ? [] : family(pid, ['containerd'])),
  };
}

async function registryFor(
  folder: string,
  netns: string | undefined,
  undo: Undo[],
): Promise<string> {
  const registry = await serveRegistry(folder, netns);
  undo.push(registry.stop);
  return registry.address;
}

function talkerOf(socket: string, undo: Undo[]): Talker {
  const talker = new Talker(socket);
  undo.push(() => talker.close());
  return talker;
}

/** A client of an engine that has the image, which goes again at the end. */
async function prepared(socket: string, { image }: Plan, undo: Undo[]): Promise<Client> {
  const client = openClient(socket);
  undo.push(client.close);
  await importImage(client, image);
  undo.push(async () => {
    await client.text('DELETE', `/images/${image}?force=1`);
  });
  return client;
}

/** Every round goes over all engines before the next, so that a busy machine is busy for all. */
async function measureAll(
  measures: readonly Measure[],
  subjects: readonly Subject[],
): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const measure of measures) {
    const [ours] = subjects;
    const rivals = measure.rival === undefined || ours === undefined
      ? subjects
      : [ours, { ...ours, name: 'reference' } as const];
    const result = await measureOne(measure, rivals);
    const [own, other] = [shown(median(result.ours)), shown(median(result.theirs))];
    process.stderr.write(`${measure.name}: ${own} / ${other} ${measure.unit}\n`);
    results.push(result);
  }
  return results;
}

async function measureOne(measure: Measure, subjects: readonly Subject[]): Promise<Result> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < measure.rounds; round++) {
    for (const subject of subjects) {
      const value = await attempted(measure, subject);
      if (value !== undefined) (subject.name === 'tsdocker' ? ours : theirs).push(value);
    }
  }
  return { measure, ours, theirs };
}

/** A measure that fails leaves a gap in the table, and says why. */
async function attempted(measure: Measure, subject: Subject): Promise<number | undefined> {
  try {
    return await measure.run(subject);
  } catch (problem) {
    const reason = problem instanceof Error ? problem.message : String(problem);
    process.stderr.write(`${measure.name}, ${subject.name}: ${reason}\n`);
    process.exitCode = 1;
    return undefined;
  }
}

main().catch((problem: unknown) => {
  process.stderr.write(
    `${problem instanceof Error ? (problem.stack ?? problem.message) : String(problem)}\n${usage}`,
  );
  process.exitCode = 1;
});
