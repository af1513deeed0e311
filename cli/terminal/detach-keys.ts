import { CommandError } from '../errors.js';

const control: Readonly<Record<string, number>> = {
  '@': 0,
  '[': 27,
  '\\': 28,
  ']': 29,
  '^': 30,
  _: 31,
};
const standard = 'ctrl-p,ctrl-q';

/** Reads `ctrl-p,ctrl-q` into bytes; empty means the standard pair. Throws CommandError. */
export function parseDetachKeys(text: string): Buffer {
  const bytes = (text === '' ? standard : text).split(',').map((key) => {
    if (key.length === 1) return key.charCodeAt(0);
    const letter = /^ctrl-(.)$/.exec(key)?.[1] ?? '';
    const code = /[a-z]/.test(letter) ? letter.charCodeAt(0) - 96 : control[letter];
    if (code === undefined) throw new CommandError(`Unknown character: '${key}'`, 125);
    return code;
  });
  return Buffer.from(bytes);
}

/**
 * Watches typed bytes for the sequence. Bytes that may become it are held back until it is clear
 * that they do not, so that the container never sees a finished sequence.
 */
export class DetachWatcher {
  readonly #sequence: Buffer;
  #matched = 0;

  constructor(sequence: Buffer) {
    this.#sequence = sequence;
  }

  /** What may go on to the container; `isDetached` once the sequence is complete. */
  take(typed: Buffer): { readonly pass: Buffer; readonly isDetached: boolean } {
    const pass: number[] = [];
    for (const byte of typed) {
      if (byte === this.#sequence[this.#matched]) {
        this.#matched++;
        if (this.#matched < this.#sequence.length) continue;
        return { pass: Buffer.from(pass), isDetached: true };
      }
      pass.push(...this.#sequence.subarray(0, this.#matched));
      this.#matched = byte === this.#sequence[0] ? 1 : 0;
      if (this.#matched === 0) pass.push(byte);
    }
    return { pass: Buffer.from(pass), isDetached: false };
  }
}
