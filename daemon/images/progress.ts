/** Progress lines as Docker writes them. */
import type { JsonMessage } from '../../api-spec/index.js';
import type { ProgressSink } from './needs.js';

/** Between two lines that only count on. */
const intervalMs = 100;
const barWidth = 50;

/** Docker's `id` of a layer: twelve digits. */
export function shortId(digest: string): string {
  return digest.replace(/^sha256:/, '').slice(0, 12);
}

/** `[====>    ]  1.5MB/3MB`: the older spelling of `progressDetail`. */
export function progressText(current: number, total: number): string {
  const now = humanSize(current).padStart(8);
  if (total <= 0 || current > total) return now;
  const filled = Math.min(barWidth, Math.floor((current / total) * barWidth));
  const bar = '='.repeat(filled) + '>' + ' '.repeat(barWidth - filled);
  return `[${bar}] ${now}/${humanSize(total)}`;
}

/** Four significant digits, decimal units: `1.234MB`. */
export function humanSize(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${Number(value.toPrecision(4))}${units[unit] ?? ''}`;
}

/** Writes lines to one client; never throws: a broken client is told by its signal. */
export class Progress {
  private last: Promise<void> = Promise.resolve();
  private failure: Error | undefined;
  private readonly countedAtMs = new Map<string, number>();

  constructor(private readonly sink: ProgressSink) {}

  /** One line. */
  line(message: JsonMessage): void {
    const sent = this.sink(message);
    this.last = sent.catch((error: unknown) => {
      this.failure ??= error instanceof Error ? error : new Error(String(error));
    });
  }

  /** A line about a layer that only says where it is. */
  layer(id: string, status: string): void {
    this.line({ status, progressDetail: {}, id });
  }

  /** A counting line, left out when the last one about `id` is not long ago. */
  count(
    id: string,
    status: string,
    at: { readonly current: number; readonly total: number },
  ): void {
    const now = performance.now();
    const before = this.countedAtMs.get(id) ?? Number.NEGATIVE_INFINITY;
    if (at.current < at.total && now - before < intervalMs) return;
    this.countedAtMs.set(id, now);
    const progress = progressText(at.current, at.total);
    this.line({ status, progressDetail: at, progress, id });
  }

  /** Settles when the client has taken all; rejects if it never will. */
  async flush(): Promise<void> {
    await this.last;
    if (this.failure !== undefined) throw this.failure;
  }
}
