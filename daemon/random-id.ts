import { randomBytes } from 'node:crypto';

const idBytes = 32;
/** A call of the generator costs as much as thirty ids. */
const drawnBytes = 128 * idBytes;

let drawn = Buffer.alloc(0);
let used = 0;

/** A new id of whatever kind: 64 hex digits, as Docker's. It is no secret. */
export function randomId(): string {
  if (used === drawn.length) {
    drawn = randomBytes(drawnBytes);
    used = 0;
  }
  return drawn.toString('hex', used, (used += idBytes));
}
