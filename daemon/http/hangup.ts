/**
 * Clients of conversations that have hung up while nothing was said. The end of what a client sends
 * is only half of that, and Node tells of the other half when it writes: until then a client that
 * was killed would hold its place in the container's shim.
 */
import type { Duplex } from 'node:stream';

/** Which of these sockets have been closed at their other end, both ways. */
export type HungUp = (fds: readonly number[]) => readonly boolean[];

/** Between two looks; there are none while there is no conversation. */
const lookMs = 500;

/** See the head of this file. */
export class HangupWatch {
  readonly #sockets = new Set<Duplex>();
  #timer: NodeJS.Timeout | undefined;

  constructor(readonly hungUp: HungUp) {}

  /** Destroys `socket` soon after its client has gone; until it closes. */
  add(socket: Duplex): void {
    if (socket.destroyed || fdOf(socket) === undefined) return;
    this.#sockets.add(socket);
    socket.once('close', () => this.#remove(socket));
    this.#timer ??= setInterval(() => this.#look(), lookMs).unref();
  }

  #remove(socket: Duplex): void {
    this.#sockets.delete(socket);
    if (this.#sockets.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const open = [...this.#sockets].flatMap((socket) => {
      const fd = fdOf(socket);
      // What it sent before it went is still for the container.
      return fd === undefined || !socket.readableEnded ? [] : [{ socket, fd }];
    });
    const gone = this.hungUp(open.map(({ fd }) => fd));
    for (const [index, { socket }] of open.entries()) if (gone[index] === true) socket.destroy();
  }
}

/** The descriptor of a socket; undefined of other streams, and of one that has closed. */
export function fdOf(socket: Duplex): number | undefined {
  // Node's own field, which it does not document; without it nothing is watched.
  const { _handle: handle }: { _handle?: { readonly fd?: number } | null } = socket as object;
  const fd = handle?.fd;
  return fd === undefined || fd < 0 ? undefined : fd;
}
