/** An entry of the list of intended differences. */

/** Differences that need no mending. */
export interface Intended {
  /** Every container has it: a case with nothing else counts as equal. */
  readonly everywhere?: true;
  /** It comes and goes: that nothing differs by it is no news. */
  readonly isChance?: true;
  /** Of the case's name with the request; all when missing. */
  readonly of?: RegExp;
  /** Where in the answer. */
  readonly path?: RegExp;
  readonly reference?: RegExp;
  readonly ours?: RegExp;
  readonly reason: string;
}
