/**
 * The real docker command line, from the machine or from the cache that `.ci/setup tests` fills.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where `.ci/setup tests` unpacks what tests use. */
export function testCache(): string {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return process.env['TSDOCKER_TEST_CACHE'] ?? join(cache, 'tsdocker-test');
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // missing or no program: the next place is tried
  }
}

/** Path of a docker client; undefined when there is none. */
export function dockerProgram(): string | undefined {
  const places = (process.env['PATH'] ?? '').split(':').map((folder) => join(folder, 'docker'));
  return [...places, join(testCache(), 'docker-cli/usr/bin/docker')].find(isExecutable);
}

/** Folder of the compose plugin that `.ci/setup tests` unpacked; undefined when there is none. */
export function composePlugins(): string | undefined {
  const folder = join(testCache(), 'docker-compose/usr/libexec/docker/cli-plugins');
  return isExecutable(join(folder, 'docker-compose')) ? folder : undefined;
}

/** How a run ended. */
export interface CommandResult {
  /** Exit status; 128+n after signal n is the client's own doing, null a signal to the client. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const timeoutMs = 60_000;

/** Runs `docker ARGS` against an engine; `input` goes to its standard input. */
export function docker(
  host: string,
  args: readonly string[],
  options: {
    readonly input?: string | Buffer;
    readonly environment?: Readonly<Record<string, string>>;
  } = {},
): Promise<CommandResult> {
  const program = dockerProgram();
  if (program === undefined) throw new Error('there is no docker client: .ci/setup tests');
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: {
        PATH: process.env['PATH'],
        HOME: '/nonexistent',
        DOCKER_HOST: host,
        ...options.environment,
      },
      timeout: timeoutMs,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject).once('close', (code) => resolve({ code, stdout, stderr }));
    // A client that ends before it has read everything is no fault of the test's.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}
