import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Hijacked } from '../engine/engine.js';
import { demultiplexer } from './demultiplex.js';
import { DetachWatcher } from './detach-keys.js';
import { makeRaw } from './terminal.js';

/** What is joined, and how. */
export interface JoinPlan {
  readonly stdin: boolean;
  readonly tty: boolean;
  /** Undefined: no sequence detaches (no terminal). */
  readonly detachKeys: Buffer | undefined;
}

/** `ended`: the container closed its side; `detached`: the user typed the sequence. */
export type JoinOutcome = 'ended' | 'detached';

/**
 * Carries a container's streams to and from ours until its side ends or the user detaches. The
 * end of our input closes only the sending half, so that all output still arrives.
 */
export async function joinStreams(hijacked: Hijacked, plan: JoinPlan): Promise<JoinOutcome> {
  const { socket } = hijacked;
  const restore = plan.tty && plan.stdin ? makeRaw() : (): void => undefined;
  try {
    const output = carryOutput(hijacked).then((): JoinOutcome => 'ended');
    if (!plan.stdin) {
      socket.end();
      return await output;
    }
    const input = carryInput(socket, plan.detachKeys);
    const outcome = await Promise.race(
      [output, input.detached.then((): JoinOutcome => 'detached')],
    );
    input.stop();
    if (outcome === 'detached') {
      // The connection breaks off on purpose: the output's end is then no failure.
      output.catch(() => undefined);
      socket.destroy();
    }
    return outcome;
  } finally {
    restore();
  }
}

function carryOutput({ socket, isMultiplexed }: Hijacked): Promise<void> {
  const outlets = { stdout: process.stdout, stderr: process.stderr };
  if (isMultiplexed) return pipeline(readingSide(socket), demultiplexer(outlets));
  return pipeline(readingSide(socket), process.stdout, { end: false });
}

/** `pipeline` would destroy the socket when the reading ends and cut off what is being sent. */
async function* readingSide(socket: Duplex): AsyncGenerator<Buffer> {
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) yield chunk;
}

interface Input {
  readonly detached: Promise<void>;
  readonly stop: () => void;
}

function carryInput(socket: Duplex, keys: Buffer | undefined): Input {
  const watcher = keys === undefined ? undefined : new DetachWatcher(keys);
  const { stdin } = process;
  let detach: () => void = () => undefined;
  const detached = new Promise<void>((resolve) => {
    detach = resolve;
  });
  const onData = (typed: Buffer): void => {
    const { pass, isDetached } = watcher?.take(typed) ?? { pass: typed, isDetached: false };
    if (pass.length > 0 && socket.writable && !socket.write(pass)) {
      stdin.pause();
      socket.once('drain', () => stdin.resume());
    }
    if (isDetached) detach();
  };
  const onEnd = (): void => void socket.end();
  const stop = (): void => {
    stdin.off('data', onData).off('end', onEnd).off('error', onEnd);
    stdin.pause();
  };
  stdin.on('data', onData).on('end', onEnd).on('error', onEnd);
  socket.on('error', stop);
  return { detached, stop };
}
