import type { Engine, Hijacked } from '../engine/engine.js';
import { parseDetachKeys } from '../terminal/detach-keys.js';
import { joinStreams, type JoinOutcome } from '../terminal/join.js';
import { proxySignals } from '../terminal/signals.js';
import { followSize } from '../terminal/terminal.js';

/** A container whose streams are carried by this program. */
export interface Attended {
  readonly engine: Engine;
  readonly id: string;
  readonly hijacked: Hijacked;
  readonly tty: boolean;
  readonly stdin: boolean;
  /** As the user gave them; empty for the standard ones. */
  readonly detachKeys: string;
  readonly proxiesSignals: boolean;
}

/** The query of an attach to all that is wanted. */
export function attachQuery(
  { stdin, stdout, stderr }: Readonly<Record<'stdin' | 'stdout' | 'stderr', boolean>>,
  detachKeys: string,
): Readonly<Record<string, string | number | undefined>> {
  return {
    stream: 1,
    stdin: stdin ? 1 : undefined,
    stdout: stdout ? 1 : undefined,
    stderr: stderr ? 1 : undefined,
    detachKeys: detachKeys || undefined,
  };
}

/**
 * Stays with a container until its streams end or the user detaches. `begin` starts it, once
 * signals are caught; if that fails, the connection is closed and the failure is thrown.
 */
export async function attend(
  { engine, id, hijacked, tty, stdin, detachKeys, proxiesSignals }: Attended,
  begin: () => Promise<unknown>,
): Promise<JoinOutcome> {
  const stopProxy = proxiesSignals && !tty ? proxySignals(engine, id) : undefined;
  let stopSize: (() => void) | undefined;
  try {
    await begin();
    if (tty) stopSize = followSize(engine, `/containers/${id}`);
    const keys = tty ? parseDetachKeys(detachKeys) : undefined;
    // Old engines do not say whether they frame; without a terminal all of them do.
    const framed = { ...hijacked, isMultiplexed: !tty };
    return await joinStreams(framed, { stdin, tty, detachKeys: keys });
  } catch (problem) {
    hijacked.socket.destroy();
    throw problem;
  } finally {
    stopSize?.();
    stopProxy?.();
  }
}
