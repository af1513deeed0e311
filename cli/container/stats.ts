import type { ContainerSummary } from '../../api-spec/container.js';
import type { EventMessage } from '../../api-spec/stream.js';
import { anyNumber, type Call, type Command } from '../command.js';
import { filtersParameter } from '../engine/filters.js';
import type { Heard } from '../engine/heard.js';
import { jsonLines } from '../engine/lines.js';
import { messageOf } from '../errors.js';
import { flag } from '../flags.js';
import { renderList, type ListShape } from '../format/list.js';
import { humanBinarySize, humanSize, shortId, significant } from '../units.js';
import { formatFlag } from './list.js';

/** What `stats` reads of the API's answer; all of it may be missing for a stopped container. */
interface Sample {
  readonly name?: string;
  readonly id?: string;
  readonly cpu_stats?: CpuSample;
  readonly precpu_stats?: CpuSample;
  readonly memory_stats?: {
    readonly usage?: number;
    readonly limit?: number;
    readonly stats?: Readonly<Record<string, number>>;
  };
  readonly networks?: Readonly<Record<string, Traffic>>;
  readonly blkio_stats?: {
    readonly io_service_bytes_recursive?: readonly BlockTransfer[] | null;
  };
  readonly pids_stats?: { readonly current?: number };
}

interface Traffic {
  readonly rx_bytes: number;
  readonly tx_bytes: number;
}

interface BlockTransfer {
  readonly op: string;
  readonly value: number;
}

interface CpuSample {
  readonly cpu_usage?: { readonly total_usage?: number };
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
}

interface Row {
  readonly given: string;
  readonly id: string;
  readonly name: string;
  readonly sample: Sample | undefined;
}

/** Drawn over what was there, line by line, so that nothing flickers. */
const redrawn = (text: string): string =>
  `\x1b[H${text.replaceAll('\n', '\x1b[K\n')}\x1b[J`;
const redrawMs = 500;

/** `stats`: what containers use, again and again on a terminal. */
export const statsCommand: Command = {
  use: 'stats [OPTIONS] [CONTAINER...]',
  about: 'Show what containers use',
  flags: [
    flag('switch', 'all', 'Stopped ones too', { short: 'a' }),
    formatFlag,
    flag('switch', 'no-stream', 'Show it once'),
    flag('switch', 'no-trunc', 'Show ids in full'),
  ],
  operands: [0, anyNumber],
  run: stats,
};

async function stats(call: Call): Promise<void> {
  const { flags, operands, print } = call;
  const rows = new Map<string, Row>();
  const streams = !flags.switch('no-stream');
  const show = (): void => {
    const shape = statsShape(!flags.switch('no-trunc'));
    const wish = { format: flags.text('format'), quiet: false };
    const text = renderList([...rows.values()], shape, wish);
    print(streams && process.stdout.isTTY ? redrawn(text) : text);
  };
  const isAll = operands.length === 0;
  const changes = streams && isAll ? await changesOf(call) : undefined;
  const names = isAll ? await runningIds(call) : operands;
  const timer = streams ? setInterval(show, redrawMs) : undefined;
  try {
    const ends = Promise.allSettled(names.map((given) => follow(call, rows, given)));
    if (changes !== undefined) await attend(call, rows, changes);
    const outcomes = await ends;
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw new Error(messageOf(failed.reason), { cause: failed.reason });
  } finally {
    clearInterval(timer);
  }
  if (!streams) show();
}

/** Keeps the row of a container up to date as long as there is one. */
async function follow(
  { engine, flags }: Call,
  rows: Map<string, Row>,
  given: string,
): Promise<void> {
  rows.set(given, { given, id: '', name: '', sample: undefined });
  const answer = await engine.open('GET', `/containers/${encodeURIComponent(given)}/stats`, {
    query: { stream: flags.switch('no-stream') ? 0 : 1 },
  });
  for await (const sample of jsonLines<Sample>(answer)) {
    if (!rows.has(given)) return;
    const name = (sample.name ?? '').replace(/^\//, '');
    rows.set(given, { given, id: sample.id ?? '', name, sample });
  }
}

type Change = Heard<Pick<EventMessage, 'Action' | 'Actor'>>;

/** Which containers come and go from now on: those that run, or with `--all` those that exist. */
async function changesOf({ engine, flags }: Call): Promise<AsyncIterable<Change>> {
  const event = flags.switch('all') ? ['create', 'destroy'] : ['start', 'die'];
  const filters = filtersParameter([], { type: ['container'], event });
  return jsonLines<Change>(await engine.open('GET', '/events', { query: { filters } }));
}

/** A row for each that comes, none for one that has gone; for ever. */
async function attend(
  call: Call,
  rows: Map<string, Row>,
  changes: AsyncIterable<Change>,
): Promise<void> {
  for await (const { Action, Actor } of changes) {
    const id = Actor?.ID ?? '';
    if (Action === 'die' || Action === 'destroy') rows.delete(id);
    else if (!rows.has(id)) {
      // It may have gone again: then another event says so.
      follow(call, rows, id).catch((problem: unknown) => call.complain(`${messageOf(problem)}\n`));
    }
  }
}

async function runningIds({ engine, flags }: Call): Promise<readonly string[]> {
  const all = flags.switch('all') ? 1 : undefined;
  const found = await engine.json<readonly ContainerSummary[]>('GET', '/containers/json', {
    query: { all },
  });
  return found.map(({ Id }) => Id);
}

function statsShape(truncates: boolean): ListShape<Row> {
  const percent = (value: number): string => `${value.toFixed(2)}%`;
  return {
    table:
      '{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t' +
      '{{.BlockIO}}\t{{.PIDs}}',
    quiet: '{{.ID}}',
    goType: '*container.statsContext',
    columns: {
      BlockIO: { heading: 'BLOCK I/O', of: ({ sample }) => blockText(sample) },
      CPUPerc: { heading: 'CPU %', of: ({ sample }) => percent(cpuPercent(sample)) },
      Container: { heading: 'CONTAINER', of: ({ given }) => given },
      ID: { heading: 'CONTAINER ID', of: ({ id }) => (truncates ? shortId(id) : id) },
      MemPerc: { heading: 'MEM %', of: ({ sample }) => percent(memoryPercent(sample)) },
      MemUsage: {
        heading: 'MEM USAGE / LIMIT',
        of: ({ sample }) =>
          `${humanBinarySize(memoryUsed(sample))} / ` +
            humanBinarySize(sample?.memory_stats?.limit ?? 0),
      },
      Name: { heading: 'NAME', of: ({ name }) => (name === '' ? '--' : name) },
      NetIO: { heading: 'NET I/O', of: ({ sample }) => networkText(sample) },
      PIDs: {
        heading: 'PIDS',
        of: ({ sample }) => significant(sample?.pids_stats?.current ?? 0, 15),
      },
    },
  };
}

function cpuPercent(sample: Sample | undefined): number {
  const now = sample?.cpu_stats;
  const before = sample?.precpu_stats;
  const used = (now?.cpu_usage?.total_usage ?? 0) - (before?.cpu_usage?.total_usage ?? 0);
  const passed = (now?.system_cpu_usage ?? 0) - (before?.system_cpu_usage ?? 0);
  return used > 0 && passed > 0 ? (used / passed) * (now?.online_cpus ?? 1) * 100 : 0;
}

/** Page cache that can be dropped at once does not count: v1 and v2 name it differently. */
function memoryUsed(sample: Sample | undefined): number {
  const usage = sample?.memory_stats?.usage ?? 0;
  const details = sample?.memory_stats?.stats ?? {};
  const idle = details['total_inactive_file'] ?? details['inactive_file'] ?? 0;
  return idle < usage ? usage - idle : usage;
}

function memoryPercent(sample: Sample | undefined): number {
  const limit = sample?.memory_stats?.limit ?? 0;
  return limit === 0 ? 0 : (memoryUsed(sample) / limit) * 100;
}

function networkText(sample: Sample | undefined): string {
  const links = Object.values(sample?.networks ?? {});
  const received = links.reduce((sum, { rx_bytes }) => sum + rx_bytes, 0);
  const sent = links.reduce((sum, { tx_bytes }) => sum + tx_bytes, 0);
  return `${humanSize(received, 3)} / ${humanSize(sent, 3)}`;
}

function blockText(sample: Sample | undefined): string {
  const entries = sample?.blkio_stats?.io_service_bytes_recursive ?? [];
  const total = (letter: string): number =>
    entries
      .filter(({ op }) => op.toLowerCase().startsWith(letter))
      .reduce((sum, { value }) => sum + value, 0);
  return `${humanSize(total('r'), 3)} / ${humanSize(total('w'), 3)}`;
}
