/** Words that a mode of `VolumesFrom` may have, one of each row: no copying, no propagation. */
const rows: readonly (readonly string[])[] = [
  ['ro', 'rw'], ['z', 'Z'], ['default', 'consistent', 'cached', 'delegated'],
];

/** Whether Docker takes it; an empty one is. */
export function isInheritedMode(mode: string): boolean {
  const seen = mode === ''
    ? []
    : mode.split(',').map((word) => rows.findIndex((row) => row.includes(word)));
  return !seen.includes(-1) && new Set(seen).size === seen.length;
}
