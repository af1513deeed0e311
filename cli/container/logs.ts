import { pipeline } from 'node:stream/promises';
import type { ContainerInspectResponse } from '../../api-spec/container.js';
import type { Call, Command } from '../command.js';
import { momentParameter } from '../engine/moment.js';
import { flag } from '../flags.js';
import { demultiplexer } from '../terminal/demultiplex.js';

/** `logs`: what a container printed, each stream to its own. */
export const logsCommand: Command = {
  use: 'logs [OPTIONS] CONTAINER',
  about: 'Show what a container printed',
  flags: [
    flag('switch', 'details', 'Show the labels and variables kept with each line'),
    flag('switch', 'follow', 'Go on as it prints more', { short: 'f' }),
    flag('text', 'since', 'From this time on (2013-01-02T13:23:37Z, or 42m ago)'),
    flag('text', 'tail', 'Only so many lines of the end', { short: 'n', otherwise: 'all' }),
    flag('switch', 'timestamps', 'Show the time of each line', { short: 't' }),
    flag('text', 'until', 'Up to this time (2013-01-02T13:23:37Z, or 42m ago)'),
  ],
  operands: [1, 1],
  run: logs,
};

async function logs({ engine, flags, operands }: Call): Promise<void> {
  const path = `/containers/${encodeURIComponent(operands[0] ?? '')}`;
  const found = await engine.json<ContainerInspectResponse>('GET', `${path}/json`);
  const answer = await engine.open('GET', `${path}/logs`, {
    query: {
      stdout: 1,
      stderr: 1,
      details: flags.switch('details') ? 1 : undefined,
      follow: flags.switch('follow') ? 1 : undefined,
      since: momentParameter('since', flags.text('since')),
      tail: flags.text('tail'),
      timestamps: flags.switch('timestamps') ? 1 : undefined,
      until: momentParameter('until', flags.text('until')),
    },
  });
  if (found.Config.Tty === true) await pipeline(answer, process.stdout, { end: false });
  else await pipeline(answer, demultiplexer({ stdout: process.stdout, stderr: process.stderr }));
}
