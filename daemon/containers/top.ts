import { execFile } from 'node:child_process';
import { conflict, invalidParameter, systemError } from '../../api-spec/errors.js';
import type { ContainerTopResponse } from '../../api-spec/index.js';
import type { Container } from './container.js';
import { containerEvent, tell } from './context.js';
import type { Context } from './context.js';
import { isLive } from './state.js';

/** `ps` reads files of /proc only; a process that hangs in the kernel can hold it all the same. */
const MAX_PS_MS = 10_000;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/**
 * The processes of a container as the host's `ps` shows them; no program of the container is run.
 * `ApiError` 409 when it does not run, 500 when `ps` refuses its arguments.
 */
export async function topContainer(
  context: Context,
  container: Container,
  psArgs: string,
): Promise<ContainerTopResponse> {
  const { record } = container;
  const args = psArgs.trim() === '' ? ['-ef'] : psArgs.trim().split(/\s+/);
  // A column of another name could pass for the one by which lines are chosen.
  const renamed = /(?:^|\s)(\S*)=\s*(PID\S*)/.exec(psArgs);
  if (renamed !== null) {
    throw invalidParameter(`specifying "${renamed[1] ?? ''}=${renamed[2] ?? ''}" is not allowed`);
  }
  if (record.state.status === 'restarting') {
    throw conflict(`Container ${record.id} is restarting, wait until the container is running`);
  }
  if (!isLive(record.state)) throw conflict(`container ${record.id} is not running`);
  const pids = new Set(context.runtime.cgroup(record).pids());
  const shown = processesOf(await ps(args), pids);
  await tell(context, containerEvent(record, 'top'));
  return shown;
}

/** The lines of `ps` with these pids; the last column has blanks in it. `ApiError` 500. */
export function processesOf(text: string, pids: ReadonlySet<number>): ContainerTopResponse {
  const [header = '', ...lines] = text.split('\n');
  const titles = wordsOf(header);
  const at = titles.indexOf('PID');
  if (at < 0) throw systemError("Couldn't find PID field in ps output");
  const last = titles.length - 1;
  const rows = lines
    .map(wordsOf)
    .filter((words) => words.length > last && pids.has(Number(words[at])))
    .map((words) => [...words.slice(0, last), words.slice(last).join(' ')]);
  return { Titles: titles, Processes: rows };
}

function wordsOf(line: string): string[] {
  return line.trim().split(/\s+/);
}

function ps(args: readonly string[]): Promise<string> {
  const options = {
    timeout: MAX_PS_MS,
    maxBuffer: MAX_OUTPUT_BYTES,
    env: { PATH: process.env['PATH'] },
  };
  return new Promise((resolve, reject) => {
    execFile('ps', args, options, (error, stdout, stderr) => {
      // It ends with 1, without a word, when it has found nothing.
      if (error === null || (error.code === 1 && stderr === '')) resolve(stdout);
      else reject(systemError(`ps: ${firstLine(stderr) || error.message}`, error));
    });
  });
}

function firstLine(text: string): string {
  const line = text.split('\n').find((each) => each.trim() !== '') ?? '';
  return line.replace(/^ps:\s*/, '').trim();
}
