/** The user namespace that this process is in. */
import { readFileSync } from 'node:fs';

/** How many ids the first one has; no other can have them all. */
const allIds = 2 ** 32 - 1;

let known: boolean | undefined;

/**
 * Whether our root is nobody to the machine: no devices can be made, no attributes `trusted.`
 * written. Read once.
 */
export function inUserNamespace(): boolean {
  known ??= !isFirst(readFileSync('/proc/self/uid_map', 'utf8'));
  return known;
}

function isFirst(map: string): boolean {
  const [inside, outside, count] = map.trim().split(/\s+/).map(Number);
  return inside === 0 && outside === 0 && count === allIds;
}
