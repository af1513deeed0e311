/** The beginning of what a process says, in bounded memory. */
export class LimitedText {
  readonly #pieces: Buffer[] = [];
  #bytes = 0;
  #isCut = false;

  constructor(readonly maxBytes: number) {}

  add(piece: Buffer): void {
    const kept = piece.subarray(0, this.maxBytes - this.#bytes);
    if (kept.length < piece.length) this.#isCut = true;
    if (kept.length === 0) return;
    // A copy: a view would keep the whole of a larger buffer alive.
    this.#pieces.push(Buffer.from(kept));
    this.#bytes += kept.length;
  }

  /** With dots at the end when there was more. */
  toString(): string {
    return Buffer.concat(this.#pieces).toString() + (this.#isCut ? '...' : '');
  }
}
