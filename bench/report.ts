import { advantage, median, shown } from './statistics.js';
import type { Measure } from './subject.js';

/** What came of one measure on each engine. */
export interface Result {
  readonly measure: Measure;
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
}

/** The results as a Markdown table. */
export function reportTable(results: readonly Result[], hasReference: boolean): string {
  const head = hasReference
    ? ['', 'unit', 'tsdocker', 'reference', 'better by', 'target']
    : ['', 'unit', 'tsdocker', 'target'];
  const rows = results.map((result) => cells(result, hasReference));
  const align = head.map((_, at) => (at < 2 ? '---' : '---:'));
  return [head, align, ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function cells({ measure, ours, theirs }: Result, hasReference: boolean): readonly string[] {
  const own = median(ours);
  const other = median(theirs);
  const ratio = ratioText(advantage(own, other, measure.better));
  const middle = hasReference ? [shown(other), ratio] : [];
  return [measure.name, measure.unit, shown(own), ...middle, targetText({ measure, ours, theirs })];
}

function ratioText(ratio: number): string {
  return Number.isFinite(ratio) ? `${shown(ratio)}×` : '–';
}

function targetText({ measure, ours, theirs }: Result): string {
  const { target, better, unit } = measure;
  if (target === undefined) return '';
  if ('bound' in target) {
    return `≤ ${target.bound} ${unit}${mark(median(ours) <= target.bound)}`;
  }
  const ratio = advantage(median(ours), median(theirs), better);
  return `≥ ${target.ratio}×${Number.isFinite(ratio) ? mark(ratio >= target.ratio) : ''}`;
}

function mark(isReached: boolean): string {
  return isReached ? ' ✓' : ' ✗';
}
