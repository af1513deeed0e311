/** Bytes of a frame's header: stream, three zeros, length in big-endian. */
const frameHeaderBytes = 8;

/** One line, with its timestamp and details in front if they were asked for. */
export interface LogEntry {
  readonly stream: 'stdout' | 'stderr';
  /** A view into the frames that it was read from. */
  readonly bytes: Uint8Array;
}

/** The lines of a buffer of whole frames, as `readLogs` gives with `framing: 'stdcopy'`. */
export function logEntries(frames: Buffer): readonly LogEntry[] {
  const entries: LogEntry[] = [];
  for (let at = 0; at < frames.length; ) {
    const end = at + frameHeaderBytes + frames.readUInt32BE(at + 4);
    const stream = frames[at] === 2 ? 'stderr' : 'stdout';
    entries.push({ stream, bytes: frames.subarray(at + frameHeaderBytes, end) });
    at = end;
  }
  return entries;
}
