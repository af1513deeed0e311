/**
 * The client of the timed rows: a small program in C that holds a conversation written down for it.
 * A client in Node takes as long for its part as the engine for its own, most of all after a rest,
 * when the processor has forgotten the code of both; what is measured is the engine.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startAsked, type AskedProgram } from './asked-program.js';
import { writtenDown, type Step } from './script.js';

export { startAsked, type AskedProgram } from './asked-program.js';
export { given, made, type Step } from './script.js';

const microsecondsPerMs = 1000;
const compileTimeoutMs = 60_000;
const sources = ['talk.c', 'line.c'].map((name) =>
  fileURLToPath(new URL(`../../../bench/talk/${name}`, import.meta.url)),
);

/** How a conversation is held. */
export interface Talk {
  readonly steps: readonly Step[];
  /** So many at once, each on connections of its own; 1 unless told. */
  readonly lanes?: number;
  /** So many in a row on each; 1 unless told. */
  readonly times?: number;
  /** The id that its steps call `given`. */
  readonly id?: string;
}

/** Holds conversations with one engine; the connections are kept from one to the next. */
export class Talker {
  readonly #folder = mkdtempSync(join(tmpdir(), 'tsbench-talk-'));
  readonly #programs = new Map<string, Promise<AskedProgram>>();

  constructor(readonly socketPath: string) {
    const flags = ['-std=gnu11', '-D_GNU_SOURCE', '-O2', '-pthread'];
    execFileSync('gcc', [...flags, '-o', join(this.#folder, 'talk'), ...sources], {
      timeout: compileTimeoutMs,
    });
  }

  /** Readies the program, so that the first conversation does not pay for its start. */
  async ready(talk: Talk): Promise<void> {
    await this.#programOf(talk);
  }

  /** How long it took in milliseconds. Throws when an answer is not what was expected. */
  async ms(talk: Talk): Promise<number> {
    const answer = await (await this.#programOf(talk)).ask(talk.id ?? '');
    if (answer.startsWith('failed')) throw new Error(`the bench was answered: ${answer}`);
    return Number(answer) / microsecondsPerMs;
  }

  async close(): Promise<void> {
    const programs = await Promise.all(this.#programs.values());
    await Promise.all(programs.map(({ stop }) => stop()));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #programOf({ steps, lanes = 1, times = 1 }: Talk): Promise<AskedProgram> {
    const script = writtenDown(steps);
    const key = `${lanes} ${times} ${script}`;
    const known = this.#programs.get(key);
    if (known !== undefined) return known;
    const path = join(this.#folder, `${this.#programs.size}.script`);
    writeFileSync(path, script);
    const words = [this.socketPath, path, String(lanes), String(times)];
    const started = startAsked(join(this.#folder, 'talk'), words);
    this.#programs.set(key, started);
    return started;
  }
}
