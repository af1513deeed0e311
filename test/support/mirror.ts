/** A mirror of Debian packages for builds that use the network of their host. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const startTimeoutMs = 10_000;

/** Runs until it is stopped. */
export interface Mirror {
  /** As `http_proxy`. */
  readonly proxy: string;
  stop(): void;
}

/** Serves a folder; `enter` is what to put before a command to be where the builds are. */
export async function serveMirror(folder: string, enter: readonly string[]): Promise<Mirror> {
  const program = fileURLToPath(new URL('mirror-main.js', import.meta.url));
  const [command, ...rest] = [...enter, process.execPath, program, folder] as const;
  const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
  const port = await new Promise<string>((resolve, reject) => {
    const late = () => reject(new Error('the mirror does not start'));
    const timer = setTimeout(late, startTimeoutMs);
    child.once('error', reject).once('exit', () => reject(new Error('the mirror ended')));
    createInterface({ input: child.stdout }).once('line', (line) => {
      clearTimeout(timer);
      resolve(line);
    });
  });
  return { proxy: `http://127.0.0.1:${port}`, stop: () => void child.stdin.end() };
}
