import type { Volume, VolumeCreateRequest, VolumeListResponse } from '../../api-spec/volume.js';
import { anyNumber, forEachOperand, type Command } from '../command.js';
import { formatFlag } from '../container/list.js';
import { pairsOf } from '../create-options/pairs.js';
import type { Heard } from '../engine/heard.js';
import { filtersParameter } from '../engine/filters.js';
import { CommandError } from '../errors.js';
import { flag } from '../flags.js';
import { labelColumn, labelsText, renderList, type ListShape } from '../format/list.js';
import { naturalOrder } from '../order.js';
import { humanSize } from '../units.js';

/** `volume create`: makes a volume and prints its name. */
export const createVolumeCommand: Command = {
  use: 'create [OPTIONS] [VOLUME]',
  about: 'Make a volume',
  flags: [
    flag('text', 'driver', 'Driver of the volume', { short: 'd', otherwise: 'local' }),
    flag('list', 'label', 'Label (key or key=value)'),
    flag('text', 'name', 'Name of the volume', { hidden: true }),
    flag('list', 'opt', 'Option of the driver', { short: 'o', takes: 'map' }),
  ],
  operands: [0, 1],
  run: async ({ engine, flags, operands, print }) => {
    const name = flags.text('name') || (operands[0] ?? '');
    if (flags.text('name') !== '' && operands.length > 0) {
      throw new CommandError(
        'conflicting options: cannot specify a volume-name through both --name and as a ' +
          'positional arg',
      );
    }
    const body: VolumeCreateRequest = {
      Name: name,
      Driver: flags.text('driver'),
      DriverOpts: pairsOf(flags.list('opt')),
      Labels: pairsOf(flags.list('label')),
    };
    const made = await engine.json<Volume>('POST', '/volumes/create', { body });
    print(`${made.Name}\n`);
  },
};

/** `volume ls`: lists volumes, by name. */
export const volumesCommand: Command = {
  use: 'ls [OPTIONS]',
  about: 'List volumes',
  flags: [
    flag('list', 'filter', 'Only those that match (key=value)', { short: 'f', takes: 'filter' }),
    formatFlag,
    flag('switch', 'quiet', 'Only names', { short: 'q' }),
  ],
  operands: [0, 0],
  run: async ({ engine, flags, print }) => {
    const { Volumes } = await engine.json<Heard<VolumeListResponse>>('GET', '/volumes', {
      query: { filters: filtersParameter(flags.list('filter')) },
    });
    const rows = [...(Volumes ?? [])].sort((a, b) =>
      naturalOrder(a.Name, b.Name),
    );
    const wish = { format: flags.text('format'), quiet: flags.switch('quiet') };
    print(renderList(rows, volumeShape, wish));
  },
};

/** How volumes are listed. */
export const volumeShape: ListShape<Heard<Volume>> = {
  table: '{{.Driver}}\t{{.Name}}',
  quiet: '{{.Name}}',
  goType: '*formatter.volumeContext',
  columns: {
    Availability: { heading: 'AVAILABILITY', of: () => 'N/A' },
    Driver: { heading: 'DRIVER', of: ({ Driver }) => Driver },
    Group: { heading: 'GROUP', of: () => 'N/A' },
    Labels: { heading: 'LABELS', of: ({ Labels }) => labelsText(Labels) },
    Label: labelColumn(({ Labels }) => Labels),
    Links: {
      heading: 'LINKS',
      of: ({ UsageData }) => (
        UsageData === undefined || UsageData === null ? 'N/A' : String(UsageData.RefCount)
      ),
    },
    Mountpoint: { heading: 'MOUNTPOINT', of: ({ Mountpoint }) => Mountpoint },
    Name: { heading: 'VOLUME NAME', of: ({ Name }) => Name },
    Scope: { heading: 'SCOPE', of: ({ Scope }) => Scope },
    Size: {
      heading: 'SIZE',
      of: ({ UsageData }) => (
        UsageData === undefined || UsageData === null ? 'N/A' : humanSize(UsageData.Size)
      ),
    },
    Status: { heading: 'STATUS', of: () => 'N/A' },
  },
};

/** `volume rm`: removes volumes that no container has. */
export const removeVolumeCommand: Command = {
  use: 'rm [OPTIONS] VOLUME [VOLUME...]',
  about: 'Remove volumes',
  flags: [flag('switch', 'force', 'Do not fail for what does not exist', { short: 'f' })],
  operands: [1, anyNumber],
  run: (call) =>
    forEachOperand(call, async (volume) => {
      const force = call.flags.switch('force') ? 1 : undefined;
      await call.engine.text(
        'DELETE',
        `/volumes/${encodeURIComponent(volume)}`,
        { query: { force } },
      );
      return volume;
    }),
};
