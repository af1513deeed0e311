import type { ContainerSummary } from '../../api-spec/container.js';
import type { Call, Command } from '../command.js';
import type { Heard } from '../engine/heard.js';
import { filtersParameter } from '../engine/filters.js';
import { flag, type Flag } from '../flags.js';
import { labelColumn, labelsText, renderList, type ListShape } from '../format/list.js';
import { portsText } from '../format/ports.js';
import { ellipsis, goTime, humanAge, humanSize, shortId } from '../units.js';

/** The flag by which lists are shaped. */
export const formatFlag: Flag = flag(
  'text',
  'format',
  'How to show it: table, table TEMPLATE, json, or a Go template',
);

/** `ps`: lists containers. */
export const listCommand: Command = {
  use: 'ps [OPTIONS]',
  about: 'List containers',
  flags: [
    flag('switch', 'all', 'Stopped ones too', { short: 'a' }),
    flag('list', 'filter', 'Only those that match (key=value)', { short: 'f', takes: 'filter' }),
    formatFlag,
    flag('integer', 'last', 'The newest so many, in any state', { short: 'n', otherwise: '-1' }),
    flag('switch', 'latest', 'The newest one, in any state', { short: 'l' }),
    flag('switch', 'no-trunc', 'Show all in full'),
    flag('switch', 'quiet', 'Only ids', { short: 'q' }),
    flag('switch', 'size', 'Show sizes', { short: 's' }),
  ],
  operands: [0, 0],
  run: list,
};

async function list(call: Call): Promise<void> {
  const { engine, flags, print } = call;
  const last = flags.switch('latest') && flags.number('last') === -1 ? 1 : flags.number('last');
  const format = formatOf(call);
  const showsSize = flags.switch('size');
  const rows = await engine.json<readonly Row[]>('GET', '/containers/json', {
    query: {
      all: flags.switch('all') ? 1 : undefined,
      limit: last > 0 ? last : undefined,
      size: showsSize || /\.Size\b|json \.\s*}}/.test(format) ? 1 : undefined,
      filters: filtersParameter(flags.list('filter')),
    },
  });
  const shape = containerShape(!flags.switch('no-trunc'));
  const table = showsSize ? `${shape.table}\t{{.Size}}` : shape.table;
  const raw = showsSize ? `${rawTemplate}size: {{.Size}}\n` : rawTemplate;
  print(renderList(rows, { ...shape, table, raw }, { format, quiet: flags.switch('quiet') }));
}

/** Only of this list `--quiet` takes the format away. */
function formatOf({ flags, complain }: Call): string {
  const format = flags.text('format');
  if (format === '' || !flags.switch('quiet')) return format;
  complain('WARNING: Ignoring custom format, because both --format and --quiet are set.\n');
  return '';
}

const rawTemplate =
  'container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\n' +
  'state: {{- pad .State 1 0}}\nstatus: {{- pad .Status 1 0}}\nnames: {{.Names}}\n' +
  'labels: {{- pad .Labels 1 0}}\nports: {{- pad .Ports 1 0}}\n';

/** One container of the list. */
type Row = Heard<ContainerSummary>;

/** How containers are listed; shortened ids, images and commands if `truncates`. */
export function containerShape(truncates: boolean): ListShape<Row> {
  return {
    table:
      '{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}',
    quiet: '{{.ID}}',
    goType: '*formatter.ContainerContext',
    columns: {
      ID: { heading: 'CONTAINER ID', of: ({ Id }) => (truncates ? shortId(Id) : Id) },
      Names: { heading: 'NAMES', of: ({ Names }) => namesText(Names ?? [], truncates) },
      Image: { heading: 'IMAGE', of: (row) => imageText(row, truncates) },
      Command: { heading: 'COMMAND', of: ({ Command }) => commandText(Command, truncates) },
      CreatedAt: { heading: 'CREATED AT', of: ({ Created }) => goTime(Created) },
      RunningFor: { heading: 'CREATED', of: ({ Created }) => humanAge(Created * 1000) },
      Platform: { heading: 'PLATFORM', of: () => null },
      Ports: { heading: 'PORTS', of: ({ Ports }) => portsText(Ports ?? []) },
      State: { heading: 'STATE', of: ({ State }) => State },
      Status: { heading: 'STATUS', of: ({ Status }) => Status },
      Size: { heading: 'SIZE', of: sizeText },
      Labels: { heading: 'LABELS', of: ({ Labels }) => labelsText(Labels) },
      Label: labelColumn(({ Labels }) => Labels),
      Mounts: { heading: 'MOUNTS', of: (row) => mountsText(row, truncates) },
      LocalVolumes: {
        heading: 'LOCAL VOLUMES',
        of: ({ Mounts }) => String(
          (Mounts ?? []).filter(({ Driver }) => Driver === 'local').length,
        ),
      },
      Networks: {
        heading: 'NETWORKS',
        of: ({ NetworkSettings }) => Object.keys(NetworkSettings?.Networks ?? {}).sort().join(','),
      },
    },
  };
}

/** Names without their slash; links (`/other/alias`) only in full. */
function namesText(names: readonly string[], truncates: boolean): string {
  const plain = names.map((name) => name.replace(/^\//, ''));
  return plain.filter((name) => !truncates || !name.includes('/')).join(',');
}

const shownCommandWidth = 20;

function commandText(command: string, truncates: boolean): string {
  return JSON.stringify(truncates ? ellipsis(command, shownCommandWidth) : command);
}

function imageText({ Image, ImageID }: Row, truncates: boolean): string {
  if (Image === '') return '<no image>';
  if (!truncates) return Image;
  if (shortId(Image) === shortId(ImageID)) return shortId(Image);
  return Image.replace(/@sha256:[0-9a-f]{64}$/, '');
}

/** Docker shows sizes with three digits in lists. */
function sizeText({ SizeRw = 0, SizeRootFs = 0 }: Row): string {
  const own = humanSize(SizeRw, 3);
  return SizeRootFs > 0 ? `${own} (virtual ${humanSize(SizeRootFs, 3)})` : own;
}

const shownMountWidth = 15;

function mountsText({ Mounts }: Row, truncates: boolean): string {
  return (Mounts ?? [])
    .map(({ Name = '', Source }) => (Name === '' ? Source : Name))
    .map((name) => (truncates ? ellipsis(name, shownMountWidth) : name))
    .join(',');
}
