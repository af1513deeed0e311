/** Docker's framing of two streams over one: a header of eight bytes before each piece. */
const streamNumbers = { stdout: 1, stderr: 2 } as const;

/** `[stream, 0, 0, 0, length as u32 big-endian]`. */
export function frame(stream: keyof typeof streamNumbers, lengthBytes: number): Uint8Array {
  const header = new Uint8Array(8);
  header[0] = streamNumbers[stream];
  new DataView(header.buffer).setUint32(4, lengthBytes);
  return header;
}
