import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoName } from './errno.js';
import { ErrnoError } from './errno-error.js';
import { checked, tsdocker } from './libc.js';

/** How long a receiver's queue may be full before the send fails. */
const MAX_FULL_MS = 5_000;
const FULL_PAUSE_MS = 5;

/** Sends messages to a unix datagram socket, which Node's own sockets cannot. */
export interface DatagramSocket {
  /**
   * Resolves once the kernel has taken it. With `asMemory` a message that is too large for the
   * socket goes as a sealed memfd, which journald understands. Rejects with `ErrnoError`.
   */
  send(message: Uint8Array, options: { readonly asMemory: boolean }): Promise<void>;
  close(): void;
}

/** Connects to who is bound to `path`. Throws `ErrnoError`: ENOENT, ECONNREFUSED, EPROTOTYPE. */
export function openDatagrams(path: string): DatagramSocket {
  const fd = checked(tsdocker().tsd_datagram_open(path), 'connect', path);
  let isOpen = true;
  return {
    send: async (message, { asMemory }) => {
      const untilMs = Date.now() + MAX_FULL_MS;
      while (isOpen) {
        const asked = asMemory ? 1 : 0;
        const result = tsdocker().tsd_datagram_send(fd, message, message.length, asked);
        if (result >= 0) return;
        const code = errnoName(result);
        if (code !== 'EAGAIN' || Date.now() > untilMs) throw new ErrnoError('send', code, path);
        await sleep(FULL_PAUSE_MS);
      }
      throw new ErrnoError('send', 'EBADF', path);
    },
    close: () => {
      if (isOpen) closeSync(fd);
      isOpen = false;
    },
  };
}
