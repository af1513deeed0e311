import { Socket } from 'node:net';
import { closeFds, socketPair } from '../../native/spawn.js';

/**
 * Between the shim of an exec and who is attached to it: the client's own connection, on which the
 * shim speaks without us, or a pair of sockets whose other end is ours.
 */
export class ExecLine {
  #theirs = -1;
  #ours = -1;
  #isClosed = false;

  /**
   * The shim's end; `client` is the descriptor of the client's own connection. Throws once `close`
   * has been called: there is no shim for it.
   */
  connect(client?: number): number {
    if (this.#isClosed) throw new Error('an exec is over before its client has come');
    if (client !== undefined) return client;
    [this.#ours, this.#theirs] = socketPair();
    return this.#theirs;
  }

  /** Our end, the caller's from now on; undefined where there is none. */
  takeStream(): Socket | undefined {
    if (this.#ours < 0) return undefined;
    const stream = new Socket({ fd: this.#ours, allowHalfOpen: true });
    this.#ours = -1;
    return stream;
  }

  /** Closes what nobody has taken, once the shim has a duplicate of its end. */
  close(): void {
    this.#isClosed = true;
    closeFds([this.#theirs, this.#ours]);
    this.#theirs = this.#ours = -1;
  }
}
