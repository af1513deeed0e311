import { Writable } from 'node:stream';
import { CommandError } from '../errors.js';

const headerBytes = 8;
const systemError = 3;
/** A message of the engine in the stream is no longer than this; more is a broken stream. */
const maximumMessageBytes = 1024 * 1024;

/** Where the two outputs of a container go. */
export interface Outlets {
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/**
 * Takes the frames of a container's streams apart: `[kind, 0, 0, 0, length as u32be]`, payload.
 * Fails with the engine's text on a frame of kind 3, and on kinds that do not exist.
 */
export function demultiplexer({ stdout, stderr }: Outlets): Writable {
  let header = Buffer.alloc(0);
  let kind = 0;
  let leftBytes = 0;
  let message = '';

  const deliver = (payload: Buffer): Promise<void> | undefined => {
    if (kind === systemError) {
      message += payload.toString('utf8');
      return undefined;
    }
    const target = kind === 2 ? stderr : stdout;
    if (target.write(payload)) return undefined;
    return new Promise((resolve) => target.once('drain', resolve));
  };

  const beginFrame = (): void => {
    kind = header.readUInt8(0);
    leftBytes = header.readUInt32BE(4);
    header = Buffer.alloc(0);
    if (kind > systemError) throw new CommandError(`Unrecognized input header: ${kind}`);
    if (kind === systemError && leftBytes > maximumMessageBytes) {
      throw new CommandError('a message in the stream is too long');
    }
  };

  const consume = async (chunk: Buffer): Promise<void> => {
    let at = 0;
    while (at < chunk.length) {
      if (leftBytes === 0) {
        const taken = chunk.subarray(at, at + headerBytes - header.length);
        header = Buffer.concat([header, taken]);
        at += taken.length;
        if (header.length === headerBytes) beginFrame();
        continue;
      }
      const payload = chunk.subarray(at, at + leftBytes);
      at += payload.length;
      leftBytes -= payload.length;
      await deliver(payload);
      if (kind === systemError && leftBytes === 0) {
        throw new CommandError(`error from daemon in stream: ${message}`);
      }
    }
  };

  return new Writable({
    write(chunk: Buffer, _encoding, done): void {
      consume(chunk).then(() => done(), done);
    },
  });
}
