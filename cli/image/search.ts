import type { ImageSearchResponseItem } from '../../api-spec/image.js';
import type { Call, Command } from '../command.js';
import { formatFlag } from '../container/list.js';
import { registryAuthHeader } from '../engine/credentials.js';
import { filtersParameter } from '../engine/filters.js';
import type { Heard } from '../engine/heard.js';
import { flag } from '../flags.js';
import { renderList, type ListShape } from '../format/list.js';
import { ellipsis } from '../units.js';

/** `search`: asks Docker Hub, or the registry that the term begins with. */
export const searchCommand: Command = {
  use: 'search [OPTIONS] TERM',
  about: 'Search a registry for images',
  flags: [
    flag('list', 'filter', 'Only those that match (key=value)', { short: 'f', takes: 'filter' }),
    formatFlag,
    flag('integer', 'limit', 'At most so many'),
    flag('switch', 'no-trunc', 'Show descriptions in full'),
  ],
  operands: [1, 1],
  run: search,
};

const maxDescription = 45;

async function search({ engine, flags, operands, configFolder, print }: Call): Promise<void> {
  const [term = ''] = operands;
  const found = await engine.json<readonly Heard<ImageSearchResponseItem>[]>(
    'GET',
    '/images/search',
    {
      query: {
        term,
        limit: flags.number('limit') || undefined,
        filters: filtersParameter(flags.list('filter')),
      },
      headers: await registryAuthHeader(term, configFolder),
    },
  );
  const rows = [...found].sort((one, other) => other.star_count - one.star_count);
  const shape = searchShape(!flags.switch('no-trunc'));
  print(renderList(rows, shape, { format: flags.text('format'), quiet: false }));
}

function searchShape(truncates: boolean): ListShape<Heard<ImageSearchResponseItem>> {
  return {
    table: '{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}',
    quiet: '{{.Name}}',
    goType: '*formatter.searchContext',
    columns: {
      Description: {
        heading: 'DESCRIPTION',
        of: ({ description }) => shown(description.replace(/[\r\n]/g, ' '), truncates),
      },
      IsAutomated: { heading: 'AUTOMATED', of: ({ is_automated: is }) => (is ? '[OK]' : '') },
      IsOfficial: { heading: 'OFFICIAL', of: ({ is_official: is }) => (is ? '[OK]' : '') },
      Name: { heading: 'NAME', of: ({ name }) => name },
      StarCount: { heading: 'STARS', of: ({ star_count: stars }) => String(stars) },
    },
  };
}

function shown(line: string, truncates: boolean): string {
  return truncates ? ellipsis(line, maxDescription) : line;
}
