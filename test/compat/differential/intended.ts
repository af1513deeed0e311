/** Where this engine means to answer otherwise, and why: the whole list. */
import type { Difference } from './compare.js';

/** Differences that need no mending. */
export interface Intended {
  /** Of the case's name with the request; all when missing. */
  readonly of?: RegExp;
  /** Where in the answer. */
  readonly path?: RegExp;
  readonly reference?: RegExp;
  readonly ours?: RegExp;
  readonly reason: string;
}

/** The list. */
export const intended: readonly Intended[] = [];

/** The reason why a difference is meant; undefined for one that is not. */
export function reasonFor(of: string, difference: Difference): string | undefined {
  return intended.find(
    (entry) =>
      matches(entry.of, of) &&
      matches(entry.path, difference.path) &&
      matches(entry.reference, difference.reference) &&
      matches(entry.ours, difference.ours),
  )?.reason;
}

const matches = (pattern: RegExp | undefined, text: string): boolean =>
  pattern === undefined || pattern.test(text);
