/**
 * What no engine of this kind can be faster than: the kernel's share of a container's life, and an
 * empty Node server that answers the same four requests. Both rest before each round as the engines
 * do, so that the processor has forgotten as much.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { removeLeaks } from '../../test/support/leaks.js';
import { lifeOf } from '../container.js';
import { execsInARow, execSteps } from '../measures/streams.js';
import { meanOf } from '../statistics.js';
import type { Measure } from '../subject.js';
import { makeCrunBundle, runWithCrun } from './crun.js';
import { startAsked, Talker, type AskedProgram } from '../talk/index.js';

const restMs = 250;
const microsecondsPerMs = 1000;
const noId = '0'.repeat(64);
/** As those of the daemon. */
const nodeFlags = ['--max-semi-space-size=8', '--always-sparkplug'];
const sources = ['life.c', 'veth.c'].map((name) =>
  fileURLToPath(new URL(`../../../bench/floor/${name}`, import.meta.url)),
);

/** The rows, and what is undone when they have run. */
export interface Floor {
  readonly measures: readonly Measure[];
  readonly close: () => Promise<void>;
}

/** Compiles the program of kernel calls (with gcc) and readies the rest; ms in all rows. */
export async function openFloor(rounds: number): Promise<Floor> {
  const folder = mkdtempSync(join(tmpdir(), 'tsbench-floor-'));
  const opened: AskedProgram[] = [];
  const life = async (name: string, words: readonly string[]): Promise<AskedProgram> => {
    const program = await startAsked(makeLife(join(folder, name)), [join(folder, name), ...words]);
    opened.push(program);
    return program;
  };
  const alone = await life('none', []);
  const bridged = await life('bridge', [`tsblife${folder.slice(-6)}`]);
  const execs = await life('exec', ['exec']);
  const talkTo = async (program: string, words: readonly string[] = []): Promise<Talker> => {
    const path = fileURLToPath(new URL(`${program}.js`, import.meta.url));
    const socket = join(folder, `${String(opened.length)}.sock`);
    opened.push(await startAsked(process.execPath, [...nodeFlags, path, socket, ...words]));
    return new Talker(socket);
  };
  const bareFolder = (kind: string): string => join(folder, `bare-${kind}`);
  const empty = await talkTo('empty-server');
  const engines = {
    none: await talkTo('bare-engine', [bareFolder('none')]),
    bridge: await talkTo('bare-engine', [bareFolder('bridge'), 'bridge']),
    port: await talkTo('bare-engine', [bareFolder('port'), 'port']),
  };
  const execEngine = await talkTo('bare-exec');
  const ofLife = { steps: lifeOf({ image: 'i', command: ['/bin/true'], network: 'none' }) };
  const ofExec = { steps: execSteps(), times: execsInARow, id: noId };
  const bundle = makeCrunBundle(join(folder, 'crun'));
  const row = (name: string, act: () => Promise<number | undefined>): Measure => ({
    name: `floor: ${name}`,
    unit: 'ms',
    better: 'lower',
    rounds,
    run: async ({ name: subject }) => {
      if (subject !== 'tsdocker') return undefined;
      await pause(restMs);
      return act();
    },
  });
  const asked = async (program: AskedProgram): Promise<number> =>
    Number(await program.ask('')) / microsecondsPerMs;
  return {
    measures: [
      row('the kernel calls of one life, no network', () => asked(alone)),
      row('the kernel calls of one life, bridge', () => asked(bridged)),
      row('four answers of an empty Node server', () => empty.ms(ofLife)),
      row('one life by an engine that decides nothing, no network', () =>
        engines.none.ms(ofLife)),
      row('the same, bridge', () => engines.bridge.ms(ofLife)),
      row('the same, bridge and a published port', () => engines.port.ms(ofLife)),
      row('the kernel calls of one exec', () => meanOf(execsInARow, () => asked(execs))),
      row('three answers of an empty Node server, for an exec', async () =>
        (await empty.ms(ofExec)) / execsInARow),
      row('one exec by an engine that keeps no book', async () =>
        (await execEngine.ms(ofExec)) / execsInARow),
      row('crun run, a bare bundle without network', async () =>
        bundle === undefined ? undefined : timed(() => runWithCrun(bundle))),
    ],
    close: async () => {
      const talkers = [empty, ...Object.values(engines), execEngine];
      await Promise.all(talkers.map((talker) => talker.close()));
      await Promise.all(opened.map(({ stop }) => stop()));
      for (const bare of Object.keys(engines).map(bareFolder)) {
        removeLeaks({ dataRoot: join(bare, 'data'), execRoot: join(bare, 'x') });
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function timed(act: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await act();
  return performance.now() - start;
}

/** The folder that the program of kernel calls works in, and the program. */
function makeLife(root: string): string {
  for (const name of ['lower/dev', 'lower/proc', 'lower/sys', 'upper', 'work', 'merged']) {
    mkdirSync(join(root, name), { recursive: true });
  }
  const program = join(root, 'life');
  const flags = ['-std=gnu11', '-D_GNU_SOURCE', '-O2', '-static'];
  execFileSync('gcc', [...flags, '-o', program, ...sources], { timeout: 60_000 });
  cpSync(program, join(root, 'lower', 'life'));
  chmodSync(join(root, 'lower', 'life'), 0o755);
  if (!existsSync(program)) throw new Error(`gcc made no ${program}`);
  return program;
}
