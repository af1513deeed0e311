/** What a request becomes whose connection is taken over. */
import type { Duplex } from 'node:stream';

/** A client's connection, for who can speak on it without us: a shim, to which output is local. */
export interface Line {
  /** Its descriptor; undefined while something for the client still waits here. */
  readonly fd: number | undefined;
  /** From now on somebody else speaks, and we only close what we have of it. */
  give(): void;
}

/**
 * A conversation that is ready to begin. What refuses it (no such container, paused) is thrown by
 * the call that returns it, so that the client gets a status; from here on nothing is missed.
 */
export interface Conversation {
  /** Whether bytes are a terminal's: then they are never framed. */
  readonly tty: boolean;
  /** In milliseconds: the head of the answer may wait for its first word. */
  readonly speaksSoon?: boolean;
  /**
   * Speaks with the client until there is nothing more to say; called at most once. End of
   * `client`'s readable side is end of stdin, while output goes on; the caller ends `client`
   * afterwards. `signal`: the client is gone, or the daemon stops. `line` is there where the
   * client's bytes are those of a plain socket.
   */
  run(client: Duplex, signal: AbortSignal, line?: Line): Promise<void>;
  /** Instead of `run`, when the client went away before. */
  abandon(): void;
}
