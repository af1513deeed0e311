import type { ImageSummary } from '../../api-spec/image.js';
import type { Call, Command } from '../command.js';
import { formatFlag } from '../container/list.js';
import type { Heard } from '../engine/heard.js';
import { filtersParameter } from '../engine/filters.js';
import { flag } from '../flags.js';
import { renderList, type ListShape } from '../format/list.js';
import { goTime, humanAge, humanSize, shortId } from '../units.js';

/** One line of the list: an image has one for each of its names. */
export interface ImageRow {
  readonly image: Heard<ImageSummary>;
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

/** What Docker shows where there is no name. */
const none = '<none>';

/** `images`: lists images. */
export const imagesCommand: Command = {
  use: 'images [OPTIONS] [REPOSITORY[:TAG]]',
  about: 'List images',
  flags: [
    flag('switch', 'all', 'Intermediate ones too', { short: 'a' }),
    flag('switch', 'digests', 'Show digests'),
    flag('list', 'filter', 'Only those that match (key=value)', { short: 'f', takes: 'filter' }),
    formatFlag,
    flag('switch', 'no-trunc', 'Show ids in full'),
    flag('switch', 'quiet', 'Only ids', { short: 'q' }),
  ],
  operands: [0, 1],
  run: images,
};

async function images({ engine, flags, operands, print }: Call): Promise<void> {
  const reference = operands[0] === undefined ? {} : { reference: [operands[0]] };
  const found = await engine.json<readonly Heard<ImageSummary>[]>('GET', '/images/json', {
    query: {
      all: flags.switch('all') ? 1 : undefined,
      filters: filtersParameter(flags.list('filter'), reference),
    },
  });
  const digests = flags.switch('digests');
  const format = flags.text('format');
  const rows = found.flatMap((image) => imageRows(image, digests || /\.Digest\b/.test(format)));
  const shape = imageShape(!flags.switch('no-trunc'));
  const digest = digests ? '{{.Digest}}\t' : '';
  const table = `{{.Repository}}\t{{.Tag}}\t${digest}{{.ID}}\t{{.CreatedSince}}\t{{.Size}}`;
  print(renderList(rows, { ...shape, table }, { format, quiet: flags.switch('quiet') }));
}

/** The lines of one image; with digests a repository's digests and tags are paired. */
export function imageRows(image: Heard<ImageSummary>, withDigests: boolean): readonly ImageRow[] {
  const tags = pairs(image.RepoTags ?? [], ':').filter(([name]) => name !== none);
  const digests = pairs(image.RepoDigests ?? [], '@').filter(([name]) => name !== none);
  const row = (repository: string, tag: string, digest: string): ImageRow => ({
    image,
    repository,
    tag,
    digest,
  });
  if (tags.length === 0 && digests.length === 0) return [row(none, none, none)];
  if (tags.length === 0 && !withDigests) {
    return [...new Set(digests.map(([name]) => name))].map((name) => row(name, none, none));
  }
  const named = tags.flatMap(([name, tag]) => {
    const own = withDigests ? digests.filter(([repository]) => repository === name) : [];
    if (own.length === 0) return [row(name, tag, none)];
    return own.map(([, digest]) => row(name, tag, digest));
  });
  if (!withDigests) return named;
  const tagged = new Set(tags.map(([name]) => name));
  const bare = digests.filter(([name]) => !tagged.has(name));
  return [...named, ...bare.map(([name, digest]) => row(name, none, digest))];
}

function pairs(names: readonly string[], by: string): readonly (readonly [string, string])[] {
  return names.map((name) => {
    const at = name.lastIndexOf(by);
    return [name.slice(0, at), name.slice(at + 1)];
  });
}

/** How images are listed. */
export function imageShape(truncates: boolean): ListShape<ImageRow> {
  const counted = (size: number | undefined): string =>
    size === undefined || size === -1 ? 'N/A' : humanSize(size);
  return {
    table: '{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}',
    quiet: '{{.ID}}',
    goType: '*formatter.imageContext',
    columns: {
      Containers: {
        heading: 'CONTAINERS',
        of: ({ image }) => (image.Containers === -1 ? 'N/A' : String(image.Containers)),
      },
      CreatedAt: { heading: 'CREATED AT', of: ({ image }) => goTime(image.Created) },
      CreatedSince: { heading: 'CREATED', of: ({ image }) => humanAge(image.Created * 1000) },
      Digest: { heading: 'DIGEST', of: ({ digest }) => digest },
      ID: { heading: 'IMAGE ID', of: ({ image }) => (truncates ? shortId(image.Id) : image.Id) },
      Repository: { heading: 'REPOSITORY', of: ({ repository }) => repository },
      SharedSize: { heading: 'SHARED SIZE', of: ({ image }) => counted(image.SharedSize) },
      Size: { heading: 'SIZE', of: ({ image }) => humanSize(image.Size, 3) },
      Tag: { heading: 'TAG', of: ({ tag }) => tag },
      UniqueSize: {
        heading: 'UNIQUE SIZE',
        of: ({ image }) => (
          image.SharedSize === -1 ? 'N/A' : humanSize(image.Size - image.SharedSize)
        ),
      },
      VirtualSize: { heading: 'SIZE', of: ({ image }) => humanSize(image.Size) },
    },
  };
}
