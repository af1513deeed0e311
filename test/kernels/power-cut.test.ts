/**
 * What was answered is there after the power was cut, and whole; what was not answered is wholly
 * there or wholly absent. A machine of its own (the user-mode kernel) with a disk of its own works
 * until its kernel is killed at a random moment, and boots again.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { test, type Test } from 'tap';
import { poweredMachine } from '../support/kernel.js';
import type { PowerLine } from '../support/power-guest.js';

const guest = fileURLToPath(new URL('../support/power-guest.js', import.meta.url));
const cuts = Number(process.env['TSDOCKER_POWER_CUTS'] ?? 20);
/** A life is cut after 0 to 4 answers, so that slow machines give as many as fast ones. */
const answersOf = (life: number): number => life % 5;
const minChangeMs = 500;
const bootMs = 120_000;
const answerMs = 60_000;
const diskBytes = 1024 ** 3;

const mkfs = ['/sbin/mkfs.ext4', '/usr/sbin/mkfs.ext4'].find((path) => existsSync(path));

/** Names that must exist, must not, or may do either: the one that was asked for last. */
class Promises {
  private readonly exist = new Map<string, boolean>();
  private open: string | undefined;
  answered = 0;

  heard(line: PowerLine): void {
    if (line.is === 'asked') this.open = line.name;
    if (line.is !== 'answered') return;
    this.exist.set(line.name, line.exists);
    this.open = undefined;
    this.answered += 1;
  }

  /** What was promised and is not so. Afterwards the machine's own word counts. */
  broken(names: readonly string[]): readonly string[] {
    const there = new Set(names);
    const lies = [...this.exist].filter(
      ([name, exists]) => name !== this.open && there.has(name) !== exists,
    );
    for (const name of [...this.exist.keys(), ...names]) this.exist.set(name, there.has(name));
    this.open = undefined;
    return lies.map(([name, exists]) => `${name} ${exists ? 'is lost' : 'is back'}`);
  }
}

/** One life of the machine, to its cut; says why there is no such kernel here, if so. */
async function live(
  t: Test,
  disk: { readonly path: string; readonly pidPath: string },
  { promises, answers }: { readonly promises: Promises; readonly answers: number },
): Promise<{ readonly unavailable?: string }> {
  const command = [process.execPath, '--enable-source-maps', guest];
  const machine = poweredMachine(disk, command);
  const said: string[] = [];
  const before = promises.answered;
  const answered = (): number => promises.answered - before;
  const power = { isCut: false };
  const cut = (): void => {
    power.isCut = true;
    machine.cut();
  };
  let timer = setTimeout(machine.cut, bootMs);
  let heardMs = Date.now();
  for await (const text of machine.lines) {
    if (!text.startsWith('{')) {
      said.push(text);
      continue;
    }
    const line = JSON.parse(text) as PowerLine; // Nothing else begins like that.
    if (line.is === 'found') {
      t.same(line.broken, [], 'what is there is whole');
      t.same(promises.broken(line.names), [], 'what was promised is so');
    } else {
      promises.heard(line);
    }
    if (line.is === 'asked' || answered() > answers) continue;
    clearTimeout(timer);
    // The next change is cut somewhere in the time that the last one took.
    const changeMs = line.is === 'found' ? minChangeMs : Date.now() - heardMs;
    heardMs = Date.now();
    const isLast = answered() === answers;
    timer = isLast ? setTimeout(cut, Math.random() * changeMs) : setTimeout(machine.cut, answerMs);
  }
  const ended = await machine.ended;
  clearTimeout(timer);
  if (ended.kind === 'unavailable') return { unavailable: ended.reason };
  const ending = power.isCut ? '' : [...said, ended.output].join('\n');
  t.ok(power.isCut, `it works until it is cut ${ending}`);
  return {};
}

test(
  `the power is cut ${cuts} times, and nothing that was answered is lost`,
  { skip: mkfs === undefined && 'mkfs.ext4 is missing: apt-get install e2fsprogs' },
  async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'tsdocker-power-'));
    t.teardown(() => rm(directory, { recursive: true, force: true }));
    const disk = { path: join(directory, 'disk'), pidPath: join(directory, 'pid') };
    await writeFile(disk.path, '');
    await truncate(disk.path, diskBytes);
    await promisify(execFile)(String(mkfs), ['-q', '-F', disk.path]);
    const promises = new Promises();
    for (let life = 0; life <= cuts; life += 1) {
      const { unavailable } = await live(t, disk, { promises, answers: answersOf(life) });
      if (unavailable !== undefined) return t.pass(unavailable, { skip: unavailable });
    }
    t.ok(promises.answered >= cuts, `${promises.answered} changes were answered`);
  },
);
