import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const startTimeoutMs = 10_000;

/** A registry that runs until it is stopped. */
export interface Registry {
  /** `127.0.0.1:4711` */
  readonly address: string;
  readonly stop: () => void;
}

/** Serves a folder made by `makeBigImage`, inside a network namespace if one is named. */
export async function serveRegistry(folder: string, netns: string | undefined): Promise<Registry> {
  const program = fileURLToPath(new URL('registry-main.js', import.meta.url));
  const words = [process.execPath, program, folder, '0'];
  const inside = netns === undefined ? words : ['nsenter', `--net=/run/netns/${netns}`, ...words];
  const [command = '', ...rest] = inside;
  const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
  const port = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error('the registry does not start')),
      startTimeoutMs,
    );
    child.on('error', reject);
    child.on('exit', () => reject(new Error('the registry ended')));
    createInterface({ input: child.stdout }).once('line', (line) => {
      clearTimeout(timer);
      resolve(line);
    });
  });
  return { address: `127.0.0.1:${port}`, stop: () => void child.stdin.end() };
}
