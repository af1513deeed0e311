import { invalidParameter } from '../../api-spec/errors.js';

/** Docker's own: ctrl-p, ctrl-q. */
const defaultKeys = Uint8Array.of(16, 17);

/**
 * `ctrl-p,ctrl-q` → the bytes that end an attachment; undefined gives Docker's default, an empty
 * string none. `ApiError` 400 in Docker's words for what is no key: it `called` them otherwise
 * when an exec is made.
 */
export function parseDetachKeys(
  text: string | undefined,
  called: 'detach' | 'escape' = 'detach',
): Uint8Array {
  if (text === undefined) return defaultKeys;
  if (text === '') return new Uint8Array();
  return Uint8Array.from(text.split(','), (key) => {
    const code = keyCode(key);
    if (code === undefined) throw invalidParameter(`Invalid ${called} keys (${text}) provided`);
    return code;
  });
}

function keyCode(key: string): number | undefined {
  if (key.length === 1) return key.charCodeAt(0);
  const control = /^ctrl-([a-z@[\\\]^_])$/i.exec(key)?.[1];
  // A control character is its letter without the two high bits (ASCII).
  return control === undefined ? undefined : control.toUpperCase().charCodeAt(0) & 0x1f;
}
