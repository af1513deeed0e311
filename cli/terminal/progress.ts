import type { Readable } from 'node:stream';
import type { JsonMessage } from '../../api-spec/stream.js';
import { jsonLines } from '../engine/lines.js';
import { CommandError } from '../errors.js';
import { humanSize } from '../units.js';

/** Where progress is shown. */
export interface ProgressOutput {
  readonly write: (text: string) => void;
  readonly isTerminal: boolean;
  readonly columns: number;
}

const barWidth = 50;
const narrowColumns = 110;

/**
 * Shows a progress stream: on a terminal one line for each layer, rewritten in place with a bar;
 * elsewhere a line for each change of state. Throws CommandError with the stream's own error.
 * `onAux` gets what is not meant for people.
 */
export async function showProgress(
  stream: Readable,
  output: ProgressOutput,
  onAux: (aux: unknown) => void = () => undefined,
): Promise<void> {
  const rows = new Map<string, number>();
  for await (const message of jsonLines<JsonMessage>(stream)) {
    const problem = message.errorDetail?.message ?? message.error;
    if (problem !== undefined) throw new CommandError(problem);
    if (message.aux !== undefined) {
      onAux(message.aux);
      continue;
    }
    const bar = progressBar(message, output.columns);
    if (!output.isTerminal) {
      if (bar === '') output.write(plainLine(message, '\n'));
      continue;
    }
    output.write(placed(message, bar, rows));
  }
}

/** A message as one line, without a bar. */
export function plainLine(message: JsonMessage, end: string): string {
  if (message.stream !== undefined && message.stream !== '') return message.stream;
  const id = message.id === undefined || message.id === '' ? '' : `${message.id}: `;
  return `${id}${message.status ?? ''}${end}`;
}

/** The message with the moves that put it on its row and the cursor back below all of them. */
function placed(message: JsonMessage, bar: string, rows: Map<string, number>): string {
  const { id = '' } = message;
  if (id === '' || (message.progressDetail === undefined && !rows.has(id) && bar === '')) {
    if (id === '') rows.clear();
    return plainLine(message, '\n');
  }
  const row = rows.get(id) ?? rows.size;
  const isNew = !rows.has(id);
  rows.set(id, row);
  const line = `\r\x1b[2K${id}: ${message.status ?? ''}${bar === '' ? '' : ` ${bar}`}`;
  if (isNew) return `${line}\r\n`;
  const up = rows.size - row;
  return `\x1b[${up}A${line}\r\x1b[${up}B`;
}

/** `[====>   ]  1.2MB/3.4MB`, or nothing where there is no progress to show. */
export function progressBar({ progressDetail: detail }: JsonMessage, columns: number): string {
  const current = detail?.current ?? 0;
  const total = detail?.total ?? 0;
  if (current <= 0 && total <= 0) return '';
  const amount = (count: number): string =>
    (detail?.units ?? '') === '' ? humanSize(count) : `${count} ${detail?.units ?? ''}`;
  if (total <= 0 || current > total) return amount(current).padStart(8);
  const share = Math.floor((current / total) * barWidth);
  const done = '='.repeat(share);
  const rest = share < barWidth ? `>${' '.repeat(barWidth - share)}` : '>';
  const bar = columns > narrowColumns ? `[${done}${rest}]  ` : '';
  if (detail?.hidecounts === true) return bar;
  return `${bar}${amount(current).padStart(8)}/${amount(total)}`;
}
