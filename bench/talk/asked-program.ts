import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const answerTimeoutMs = 300_000;

/** A program that answers each line with a line, and ends with its stdin. */
export interface AskedProgram {
  /** Its answer without the line feed; rejects when it ends, or after five minutes. */
  readonly ask: (line: string) => Promise<string>;
  readonly stop: () => Promise<void>;
}

/** Starts it; it has not been asked for anything yet. */
export async function startAsked(command: string, words: readonly string[]): Promise<AskedProgram> {
  const child = spawn(command, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  await once(child, 'spawn');
  const lines = createInterface({ input: child.stdout });
  return {
    ask: (line) =>
      new Promise((resolve, reject) => {
        const failed = (): void => {
          clearTimeout(timer);
          reject(new Error(`${command} does not answer`));
        };
        const timer = setTimeout(failed, answerTimeoutMs);
        child.once('exit', failed);
        lines.once('line', (answer) => {
          clearTimeout(timer);
          child.removeListener('exit', failed);
          resolve(answer);
        });
        child.stdin.write(`${line}\n`);
      }),
    stop: async () => {
      child.stdin.end();
      await ended;
    },
  };
}
