/** What a request becomes whose connection is taken over. */
import type { Duplex } from 'node:stream';

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
   * afterwards. `signal`: the client is gone, or the daemon stops.
   */
  run(client: Duplex, signal: AbortSignal): Promise<void>;
  /** Instead of `run`, when the client went away before. */
  abandon(): void;
}
