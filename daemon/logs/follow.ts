/** Going on with what is written to a log, file after file, until its container has ended. */
import type { Form, LogNode, Piece, SharedLog } from './shared-log.js';

/** A place in a log that is being followed. */
export interface Place {
  readonly node: LogNode;
  readonly offset: number;
  /** Of the node, as they were when the offset was right. */
  readonly truncations: number;
}

/** When to stop. */
export interface FollowEnd {
  /** Settles when nothing more will be written. */
  readonly ended: Promise<unknown>;
  readonly signal: AbortSignal | undefined;
}

interface Step<Value> {
  readonly place: Place | undefined;
  readonly piece: Piece<Value> | undefined;
}

/** The beginning of a file. */
export function beginningOf(node: LogNode): Place {
  return { node, offset: 0, truncations: node.truncations };
}

async function step<Value>(
  log: SharedLog,
  from: Place | undefined,
  form: Form<Value>,
): Promise<Step<Value>> {
  if (from === undefined) {
    const first = log.newest;
    return { place: first && beginningOf(first), piece: undefined };
  }
  const { node } = from;
  const place = from.truncations === node.truncations ? from : beginningOf(node);
  // Asked first: what was written before the file was left is read after this.
  const { next } = node;
  const piece = node.isGone ? undefined : await readable(log, place, form);
  if (piece !== undefined) return { place: { ...place, offset: piece.end }, piece };
  return { place: next === undefined ? place : beginningOf(next), piece };
}

/** A file that was given up in the midst of the read has nothing more to say. */
async function readable<Value>(
  log: SharedLog,
  { node, offset }: Place,
  form: Form<Value>,
): Promise<Piece<Value> | undefined> {
  try {
    return await log.piece(node, offset, form);
  } catch (error) {
    if (node.isGone) return undefined;
    throw error;
  }
}

const hasMoved = (before: Place | undefined, after: Place | undefined): boolean =>
  before?.node !== after?.node || before?.offset !== after?.offset;

/** All that is there behind `start`; returns how far it came. */
async function* readOn<Value>(
  log: SharedLog,
  start: Place | undefined,
  form: Form<Value>,
  signal: AbortSignal | undefined,
): AsyncGenerator<{ readonly value: Value; readonly place: Place }, Place | undefined> {
  let place = start;
  while (signal?.aborted !== true) {
    const { place: after, piece } = await step(log, place, form);
    const isMoving = hasMoved(place, after);
    place = after;
    if (piece !== undefined && after !== undefined) yield { value: piece.value, place: after };
    if (!isMoving) break;
  }
  return place;
}

/**
 * What comes behind `start`, and behind nothing when it is undefined, in pieces with the place
 * behind each. Ends when all has been read after `ended`, quietly when the signal aborts.
 */
export async function* follow<Value>(
  log: SharedLog,
  start: Place | undefined,
  form: Form<Value>,
  { ended, signal }: FollowEnd,
): AsyncGenerator<{ readonly value: Value; readonly place: Place }> {
  const state = { isOver: false, wake: (): void => undefined };
  const note = (): void => {
    state.isOver = true;
    state.wake();
  };
  const onAbort = (): void => state.wake();
  ended.then(note, note);
  signal?.addEventListener('abort', onAbort, { once: true });
  let place = start;
  try {
    for (;;) {
      const { isOver } = state;
      if (isOver) log.look();
      const { version } = log;
      place = yield* readOn(log, place, form, signal);
      if (isOver || signal?.aborted === true) return;
      if (log.failure !== undefined) throw log.failure;
      const change = log.changed(version);
      state.wake = change.wake;
      if (state.isOver) change.wake();
      await change.happened;
    }
  } finally {
    state.wake();
    signal?.removeEventListener('abort', onAbort);
  }
}
