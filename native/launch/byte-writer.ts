/** Writes little-endian values; the buffer grows up to `maxBytes`, then it is a RangeError. */
export class ByteWriter {
  #buffer: Buffer;
  #size = 0;

  constructor(
    initialBytes: number,
    readonly maxBytes: number,
  ) {
    this.#buffer = Buffer.alloc(initialBytes);
  }

  /** Bytes written so far: the offset of the next value. */
  get size(): number {
    return this.#size;
  }

  u16(value: number): void {
    const at = this.reserve(2);
    this.#buffer.writeUInt16LE(value, at);
  }

  u32(value: number): void {
    const at = this.reserve(4);
    this.#buffer.writeUInt32LE(value, at);
  }

  u64(value: bigint | number): void {
    const at = this.reserve(8);
    this.#buffer.writeBigUInt64LE(BigInt(value), at);
  }

  /** A value of at most 32 bits in the place of 64. */
  u64Small(value: number): void {
    const at = this.reserve(8);
    this.#buffer.writeUInt32LE(value, at);
  }

  /** Length, bytes and a NUL that the length does not count. */
  text(value: string): void {
    const length = Buffer.byteLength(value);
    this.u32(length);
    const at = this.reserve(length + 1);
    this.#buffer.write(value, at, 'utf8');
    this.#buffer[at + length] = 0;
  }

  /** Length and bytes. */
  blob(value: Uint8Array): void {
    this.u32(value.length);
    const at = this.reserve(value.length);
    this.#buffer.set(value, at);
  }

  /** Makes room for `bytes` zeros and says where; for values known later. */
  reserve(bytes: number): number {
    const at = this.#size;
    const wanted = at + bytes;
    if (wanted > this.maxBytes) throw new RangeError(`larger than ${this.maxBytes} bytes`);
    if (wanted > this.#buffer.length) {
      const doubled = Math.max(wanted, 2 * this.#buffer.length);
      const grown = Buffer.alloc(Math.min(doubled, this.maxBytes));
      this.#buffer.copy(grown, 0, 0, at);
      this.#buffer = grown;
    }
    this.#size = wanted;
    return at;
  }

  patchU32(at: number, value: number): void {
    this.#buffer.writeUInt32LE(value, at);
  }

  /** What was written, without a copy: the writer is not used afterwards. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#size);
  }
}
