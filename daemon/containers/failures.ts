/** Why some of several steps that were all tried did not succeed. */
export function failuresOf(results: readonly PromiseSettledResult<unknown>[]): readonly unknown[] {
  return results.flatMap((result): unknown[] =>
    result.status === 'rejected' ? [result.reason] : [],
  );
}
