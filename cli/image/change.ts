import type { ImageDeleteResponseItem } from '../../api-spec/image.js';
import { anyNumber, type Call, type Command } from '../command.js';
import { EngineError } from '../engine/engine.js';
import { CommandError, messageOf } from '../errors.js';
import { flag } from '../flags.js';
import { familiarName, parseImageName, type ImageName } from '../reference.js';
import { imagePath } from './path.js';

/** `tag`: one more name for an image. */
export const tagCommand: Command = {
  use: 'tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  about: 'Give an image one more name',
  flags: [],
  operands: [2, 2],
  run: async ({ engine, operands: [source = '', target = ''] }) => {
    const name = parseTarget(target);
    const query = { repo: familiarName(name), tag: name.tag ?? 'latest' };
    await engine.text('POST', `${imagePath(source)}/tag`, { query });
  },
};

function parseTarget(target: string): ImageName {
  try {
    return parseImageName(target);
  } catch (problem) {
    const reason = messageOf(problem);
    throw new CommandError(
      `Error parsing reference: "${target}" is not a valid repository/tag: ${reason}`,
      1,
      { cause: problem },
    );
  }
}

/** `rmi`: removes names, and images when their last name goes. */
export const removeImageCommand: Command = {
  use: 'rmi [OPTIONS] IMAGE [IMAGE...]',
  about: 'Remove images',
  flags: [
    flag(
      'switch',
      'force',
      'Remove it though it has more names or stopped containers',
      { short: 'f' },
    ),
    flag('switch', 'no-prune', 'Keep parents without a name'),
    flag('list', 'platform', 'Only this platform'),
  ],
  operands: [1, anyNumber],
  run: removeImages,
};

/** With `-f` an image that is not there is told of and no failure. */
async function removeImages(call: Call): Promise<void> {
  const problems: string[] = [];
  let isFatal = !call.flags.switch('force');
  for (const image of call.operands) {
    try {
      call.print(await removeImage(call, image));
    } catch (problem) {
      isFatal ||= !(problem instanceof EngineError) || problem.status !== 404;
      problems.push(messageOf(problem));
    }
  }
  if (problems.length === 0) return;
  if (isFatal) throw new CommandError(problems.join('\n'));
  call.complain(`${problems.join('\n')}\n`);
}

async function removeImage({ engine, flags }: Call, image: string): Promise<string> {
  const on = (name: string): number | undefined => (flags.switch(name) ? 1 : undefined);
  const query = { force: on('force'), noprune: on('no-prune') };
  type Done = readonly ImageDeleteResponseItem[];
  const done = await engine.json<Done>('DELETE', imagePath(image), { query });
  const lines = done.map(({ Deleted, Untagged }) =>
    Deleted === undefined ? `Untagged: ${Untagged ?? ''}\n` : `Deleted: ${Deleted}\n`,
  );
  return lines.join('');
}
