/**
 * Runs a program of another language or client that tells of its checks line by line: JSON with the
 * check's name, and the error when it failed.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Engine, Test } from './compat.js';

/** A line of a scenario. */
interface Told {
  readonly says: string;
  readonly error?: string;
}

/** What runs, and what it still cannot pass here. */
export interface Scenario {
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** By check: why tsdockerd does not pass it yet. */
  readonly pending?: Readonly<Record<string, string>>;
}

const timeoutMs = 200_000;

/** Runs it against the engine, in the network that its ports are published in. */
export async function playScenario(t: Test, engine: Engine, scenario: Scenario): Promise<void> {
  const pending = engine.isReference ? {} : (scenario.pending ?? {});
  const [program = '', ...args] = [...engine.enter, ...scenario.command];
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    env: {
      PATH: process.env['PATH'],
      HOME: '/nonexistent',
      DOCKER_HOST: engine.host,
      COMPAT_TAG: engine.tag,
      COMPAT_IMAGE: engine.image,
      COMPAT_SKIP: JSON.stringify(Object.keys(pending)),
      ...scenario.environment,
    },
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('{"says"')) {
      stderr += `${line}\n`;
      continue;
    }
    // The scenario's own print.
    const { says, error } = JSON.parse(line) as Told;
    // It tidies up itself: what has its names may be of the next check already.
    const told = async (t: Test): Promise<void> => {
      t.equal(error, undefined, says);
    };
    await engine.check(says, told, { keeps: true });
  }
  for (const [says, reason] of Object.entries(pending))
    await engine.check(says, async () => undefined, { pending: reason });
  t.equal(await ended, 0, stderr);
}
