/**
 * Runs the project's tests: `node dist/test/support/run.js unit api …` runs the suites of these
 * folders of test/. Suites without root share one process (a process per file costs a second each);
 * the others run one after another, each in its own. Prints what failed, then `N passed, N failed`.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TapTally } from './tap-tally.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Folders whose suites may share a process: they touch nothing outside their own directories. */
const shared = new Set(['unit', 'api', 'tidy']);

/** Folders whose suites get a network namespace each, so that one that is killed leaves nothing. */
const apart = new Set(['conformance', 'integration', 'crash', 'compat']);

const inNamespace = ['unshare', '-n', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];

const fileTimeoutMs = 300_000;
/** Suites that take longer, by how their names begin. */
const longerTimeoutsMs: Readonly<Record<string, number>> = {
  // Machines are booted there, some of them twenty times.
  'test/kernels/': 1_500_000,
  // Two thousand cases, most of them a whole life on the reference engine too: nine minutes.
  'test/compat/differential/': 1_500_000,
};
const graceMs = 5000;

/** The suites of a folder, by the sources: what is left in dist of removed ones does not count. */
function suites(folder: string): readonly string[] {
  return readdirSync(join(root, 'test', folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .sort()
    .map((name) => join(root, 'dist/test', folder, name.replace(/\.ts$/, '.js')));
}

/** Runs suites in one process and adds what they say to the tally. */
function run(files: readonly string[], label: string, tally: TapTally): Promise<void> {
  return new Promise((resolve) => {
    const each = fileURLToPath(new URL('./each.js', import.meta.url));
    // tap names its directories after the command line: short, and not shared with another run.
    const words = [process.execPath, '--enable-source-maps', each, String(process.pid)];
    const isApart = apart.has(label.split('/')[1] ?? '') && process.geteuid?.() === 0;
    const [program = process.execPath, ...args] = isApart ? [...inNamespace, ...words] : words;
    const longer = Object.entries(longerTimeoutsMs).find(([begin]) => label.startsWith(begin));
    const timeoutMs = longer?.[1] ?? fileTimeoutMs;
    const child = spawn(program, args, {
      cwd: root,
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...process.env,
        TAP_BAIL: '0',
        TAP_TIMEOUT: String(timeoutMs / 1000),
        TSDOCKER_SUITES: files.join(delimiter),
      },
    });
    const kill = (signal: NodeJS.Signals): void => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, signal);
    };
    const timers = [
      setTimeout(() => kill('SIGTERM'), timeoutMs),
      setTimeout(() => kill('SIGKILL'), timeoutMs + graceMs),
    ];
    const stream = tally.begin(label);
    child.stdout.setEncoding('utf8').on('data', (text: string) => stream.write(text));
    child.once('close', (code, signal) => {
      for (const timer of timers) clearTimeout(timer);
      stream.end(code === 0 ? undefined : `ended with ${signal ?? `status ${code ?? '?'}`}`);
      resolve();
    });
  });
}

interface Suite {
  readonly files: readonly string[];
  /** The folder, or the suite's path under dist. */
  readonly label: string;
  tally: TapTally;
  readonly tookMs: number;
}

async function hear(files: readonly string[], label: string): Promise<Suite> {
  const tally = new TapTally((line) => console.log(line));
  const startedAtMs = Date.now();
  await run(files, label, tally);
  return { files, label, tally, tookMs: Date.now() - startedAtMs };
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** Where the time of a folder goes, for who waits for it. */
function tellTimes(folder: string, all: readonly Suite[]): void {
  const totalMs = all.reduce((sum, { tookMs }) => sum + tookMs, 0);
  const count = shared.has(folder) ? suites(folder).length : all.length;
  console.log(`# ${folder}: ${count} suites, ${seconds(totalMs)}`);
  if (all.length < 2) return;
  const slowest = [...all].sort((a, b) => b.tookMs - a.tookMs).slice(0, 10);
  const told = slowest.map(({ label, tookMs }) =>
    `${label.replace(`test/${folder}/`, '').replace('.test.js', '')} ${seconds(tookMs)}`);
  console.log(`# the slowest of them: ${told.join(', ')}`);
}

/**
 * Real parts on a busy machine now and then fail for a reason of the machine's. A suite of them
 * that failed is heard once more, alone, and told of in any case; two such suites are no accident.
 */
async function hearAgain(all: readonly Suite[]): Promise<void> {
  const [failed, ...others] = all.filter(({ tally }) => tally.failed > 0);
  if (failed === undefined || others.length > 0 || shared.has(failed.label)) return;
  const again = await hear(failed.files, failed.label);
  if (again.tally.failed > 0) return;
  console.log(`# unsteady: ${failed.label} failed, as told above, and passed when run again`);
  failed.tally = again.tally;
}

const labelOf = (file: string): string => relative(join(root, 'dist'), file);

async function main(folders: readonly string[]): Promise<number> {
  const all: Suite[] = [];
  for (const folder of folders) {
    const files = suites(folder);
    const heard: Suite[] = [];
    if (shared.has(folder)) heard.push(await hear(files, folder));
    else for (const file of files) heard.push(await hear([file], labelOf(file)));
    tellTimes(folder, heard);
    all.push(...heard);
  }
  await hearAgain(all);
  for (const reason of all.flatMap(({ tally }) => tally.skipped)) {
    console.log(`# skipped: ${reason}`);
  }
  const sum = (of: 'passed' | 'failed'): number =>
    all.reduce((total, { tally }) => total + tally[of], 0);
  console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
  return sum('failed') === 0 && sum('passed') > 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
