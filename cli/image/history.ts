import type { ImageHistoryResponseItem } from '../../api-spec/image.js';
import type { Call, Command } from '../command.js';
import { formatFlag } from '../container/list.js';
import type { Heard } from '../engine/heard.js';
import { flag } from '../flags.js';
import { renderList, type ListShape } from '../format/list.js';
import { ellipsis, humanAge, humanSize, shortId } from '../units.js';
import { platformJson } from './transfer.js';

/** `history`: the steps that made an image, newest first. */
export const historyCommand: Command = {
  use: 'history [OPTIONS] IMAGE',
  about: 'Show how an image was made',
  flags: [
    formatFlag,
    flag('switch', 'human', 'Sizes and dates for people', { short: 'H', otherwise: 'true' }),
    flag('switch', 'no-trunc', 'Show everything in full'),
    flag('text', 'platform', 'Platform of the image'),
    flag('switch', 'quiet', 'Only ids', { short: 'q' }),
  ],
  operands: [1, 1],
  run: history,
};

const maxCreatedBy = 45;

async function history({ engine, flags, operands, print }: Call): Promise<void> {
  const name = encodeURIComponent(operands[0] ?? '');
  const rows = await engine.json<readonly Heard<ImageHistoryResponseItem>[]>(
    'GET',
    `/images/${name}/history`,
    { query: { platform: platformJson(flags.text('platform')) } },
  );
  const shape = historyShape(!flags.switch('no-trunc'), flags.switch('human'));
  print(renderList(rows, shape, { format: flags.text('format'), quiet: flags.switch('quiet') }));
}

function historyShape(
  truncates: boolean,
  isHuman: boolean,
): ListShape<Heard<ImageHistoryResponseItem>> {
  const createdAt = (seconds: number): string =>
    new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
  return {
    table: '{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}',
    quiet: '{{.ID}}',
    goType: '*formatter.historyContext',
    columns: {
      Comment: { heading: 'COMMENT', of: ({ Comment }) => Comment },
      CreatedAt: { heading: 'CREATED AT', of: ({ Created }) => createdAt(Created) },
      CreatedBy: {
        heading: 'CREATED BY',
        of: ({ CreatedBy }) => oneLine(CreatedBy, truncates),
      },
      CreatedSince: {
        heading: isHuman ? 'CREATED' : 'CREATED AT',
        of: ({ Created }) => (isHuman ? humanAge(Created * 1000) : createdAt(Created)),
      },
      ID: { heading: 'IMAGE', of: ({ Id }) => (truncates ? shortId(Id) : Id) },
      Size: {
        heading: 'SIZE',
        of: ({ Size }) => (isHuman ? humanSize(Size, 3) : String(Size)),
      },
    },
  };
}

function oneLine(text: string, truncates: boolean): string {
  const line = text.replaceAll('\t', ' ');
  return truncates ? ellipsis(line, maxCreatedBy) : line;
}
