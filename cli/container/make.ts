import { openSync, closeSync, writeSync } from 'node:fs';
import type { ContainerCreateBody, ContainerCreateResponse } from '../../api-spec/container.js';
import type { Call } from '../command.js';
import type { Heard } from '../engine/heard.js';
import { EngineError } from '../engine/engine.js';
import { CommandError, messageOf } from '../errors.js';
import { fetchImage } from '../image/fetch.js';
import { parseImageName, withDefaultTag } from '../reference.js';

/** Makes a container, fetching its image first when that is wanted. Answers the id. */
export async function makeContainer(call: Call, body: ContainerCreateBody): Promise<string> {
  const { flags } = call;
  const when = flags.text('pull');
  if (!['always', 'missing', 'never', ''].includes(when)) {
    throw new CommandError(
      `invalid pull option: '${when}': must be one of "always", "missing" or "never"`,
      125,
    );
  }
  const idFile = openIdFile(flags.text('cidfile'));
  const image = body.Image ?? '';
  if (when === 'always') await pullFor(call, image);
  const made = await create(call, body).catch(async (problem: unknown) => {
    const isMissing = problem instanceof EngineError && problem.status === 404;
    if (!isMissing || !/no such image/i.test(problem.reason) || when === 'never') throw problem;
    if (!flags.switch('quiet')) {
      call.complain(`Unable to find image '${withDefaultTag(parseImageName(image))}' locally\n`);
    }
    await pullFor(call, image);
    return create(call, body);
  });
  for (const warning of made.Warnings ?? []) call.complain(`WARNING: ${warning}\n`);
  idFile?.(made.Id);
  return made.Id;
}

function create(
  { flags, engine }: Call,
  body: ContainerCreateBody,
): Promise<Heard<ContainerCreateResponse>> {
  const query = {
    name: flags.text('name') || undefined,
    platform: flags.text('platform') || undefined,
  };
  return engine.json('POST', '/containers/create', { query, body });
}

async function pullFor(call: Call, image: string): Promise<void> {
  await fetchImage(call, image, {
    platform: call.flags.text('platform'),
    // Standard output is the container's.
    write: call.flags.switch('quiet') ? (): void => undefined : call.complain,
    isTerminal: process.stderr.isTTY,
  });
}

/** Claims the file before anything is made, so that a file in the way costs no container. */
function openIdFile(path: string): ((id: string) => void) | undefined {
  if (path === '') return undefined;
  try {
    const file = openSync(path, 'wx', 0o644);
    return (id) => {
      writeSync(file, id);
      closeSync(file);
    };
  } catch (problem) {
    const exists = problem instanceof Error && 'code' in problem && problem.code === 'EEXIST';
    const reason = exists
      ? `container ID file found, make sure the other container isn't running or delete ${path}`
      : `failed to create the container ID file: ${messageOf(problem)}`;
    throw new CommandError(reason, 125, { cause: problem });
  }
}
