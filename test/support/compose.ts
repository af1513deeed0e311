/** The real `docker compose` on one engine, and the images of its project. */
import { cpSync, createReadStream, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Engine, Test } from './compat.js';
import type { CommandResult } from './docker-cli.js';
import { composePlugins, docker, dockerProgram, testCache } from './docker-cli.js';

/** Why compose, or an image of these names, cannot be had; false when all is there. */
export function composeMissing(images: readonly string[]): string | false {
  if (dockerProgram() === undefined || composePlugins() === undefined)
    return 'there is no docker compose: .ci/setup tests';
  const missing = images.filter((name) => !existsSync(imagePath(name)));
  return missing.length === 0 ? false : `no image ${missing.join(', ')}: .ci/setup tests`;
}

function imagePath(name: string): string {
  return join(testCache(), 'images', `${name}.tar`);
}

/** Imports a root file system of the cache as `<tag>-<name>:1`, with this as its instruction. */
export async function importImage(
  t: Test,
  engine: Engine,
  name: string,
  change = 'ENV LANG=C.UTF-8',
): Promise<void> {
  const changes = encodeURIComponent(change);
  const path = `/images/create?fromSrc=-&repo=${engine.tag}-${name}&tag=1&changes=${changes}`;
  await new Promise<void>((resolve, reject) => {
    const sent = request({
      socketPath: engine.socket,
      path,
      method: 'POST',
      headers: { 'Content-Type': 'application/x-tar', Host: 'engine' },
    });
    sent.once('error', reject).once('response', (answer) => {
      text(answer).then((body) => {
        t.notMatch(body, /"error"/, `import of ${name}`);
        resolve();
      }, reject);
    });
    pipeline(createReadStream(imagePath(name)), sent).catch(reject);
  });
}

/** Compose 2.26 puts it before each line of a log, also where there is no terminal. */
const eraseLine = '\u001b[2K';

/** `docker compose` of one project. */
export interface Compose {
  /** Runs it; `environment` reaches the variables of the file. */
  run(
    args: readonly string[],
    options?: { readonly input?: string; readonly environment?: Record<string, string> },
  ): Promise<CommandResult>;
  /** Standard output without the last newline; the command must succeed. */
  out(t: Test, ...args: readonly string[]): Promise<string>;
}

/**
 * The project of this file, under the engine's tag. Its folder is copied below /tmp, where a
 * reference engine with a root of its own finds the files that it mounts.
 */
export function composeOf(t: Test, engine: Engine, original: string): Compose {
  const config = mkdtempSync(join(tmpdir(), 'compose-'));
  t.teardown(() => rmSync(config, { recursive: true, force: true }));
  const file = join(config, 'project', basename(original));
  // A file that stands alone has nothing beside it that it would mount.
  if (basename(original) === 'compose.yaml')
    cpSync(dirname(original), dirname(file), { recursive: true });
  else cpSync(original, file);
  const cliPluginsExtraDirs = [composePlugins() ?? ''];
  writeFileSync(join(config, 'config.json'), JSON.stringify({ cliPluginsExtraDirs }));
  const run: Compose['run'] = (args, { input, environment } = {}) =>
    docker(engine.host, ['compose', '--ansi', 'never', '-p', engine.tag, '-f', file, ...args], {
      ...(input === undefined ? {} : { input }),
      environment: { DOCKER_CONFIG: config, IMAGES: engine.tag, ...environment },
    });
  return {
    run,
    out: async (t, ...args) => {
      const result = await run(args);
      t.equal(result.code, 0, `docker compose ${args.join(' ')}: ${result.stderr}`);
      return result.stdout.replaceAll(eraseLine, '').trimEnd();
    },
  };
}
