import type { Network } from '../../api-spec/network.js';
import type { Command } from '../command.js';
import { formatFlag } from '../container/list.js';
import type { Heard } from '../engine/heard.js';
import { filtersParameter } from '../engine/filters.js';
import { flag } from '../flags.js';
import { labelColumn, labelsText, renderList, type ListShape } from '../format/list.js';
import { naturalOrder } from '../order.js';
import { goTime, shortId } from '../units.js';

/** `network ls`: lists networks, by name. */
export const networksCommand: Command = {
  use: 'ls [OPTIONS]',
  about: 'List networks',
  flags: [
    flag('list', 'filter', 'Only those that match (key=value)', { short: 'f', takes: 'filter' }),
    formatFlag,
    flag('switch', 'no-trunc', 'Show ids in full'),
    flag('switch', 'quiet', 'Only ids', { short: 'q' }),
  ],
  operands: [0, 0],
  run: async ({ engine, flags, print }) => {
    const found = await engine.json<readonly Heard<Network>[]>('GET', '/networks', {
      query: { filters: filtersParameter(flags.list('filter')) },
    });
    const rows = [...found].sort((a, b) => naturalOrder(a.Name, b.Name));
    const wish = { format: flags.text('format'), quiet: flags.switch('quiet') };
    print(renderList(rows, networkShape(!flags.switch('no-trunc')), wish));
  },
};

function networkShape(truncates: boolean): ListShape<Heard<Network>> {
  return {
    table: '{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}',
    quiet: '{{.ID}}',
    goType: '*network.networkContext',
    columns: {
      CreatedAt: { heading: 'CREATED AT', of: ({ Created }) => createdText(Created) },
      Driver: { heading: 'DRIVER', of: ({ Driver }) => Driver },
      ID: { heading: 'NETWORK ID', of: ({ Id }) => (truncates ? shortId(Id) : Id) },
      IPv4: { heading: 'IPV4', of: ({ EnableIPv4 }) => String(EnableIPv4 ?? false) },
      IPv6: { heading: 'IPV6', of: ({ EnableIPv6 }) => String(EnableIPv6) },
      Internal: { heading: 'INTERNAL', of: ({ Internal }) => String(Internal) },
      Labels: { heading: 'LABELS', of: ({ Labels }) => labelsText(Labels) },
      Label: labelColumn(({ Labels }) => Labels),
      Name: { heading: 'NAME', of: ({ Name }) => Name },
      Scope: { heading: 'SCOPE', of: ({ Scope }) => Scope },
    },
  };
}

/** Go's text of the time, with the fraction that the engine sent. */
function createdText(created: string): string {
  const fraction = /\.(\d+?)0*(?:Z|[+-])/.exec(created)?.[1] ?? '';
  const text = goTime(Date.parse(created) / 1000);
  return fraction === '' ? text : `${text.slice(0, 19)}.${fraction}${text.slice(19)}`;
}
