import { checked, inThread, tsdocker } from './libc.js';

const TIMEOUT_MS = 10_000;

/**
 * Sends a duplicate of `fd` to who listens on the stream socket at `path`, along with `words`
 * (at least one byte), and waits for no answer: how an OCI runtime hands over a console. Slow.
 * Rejects with `ErrnoError`.
 */
export async function sendFd(path: string, fd: number, words: string): Promise<void> {
  const bytes = Buffer.from(words);
  const nothing = Buffer.alloc(0);
  const none = new Int32Array(1);
  const { tsd_exchange: exchange } = tsdocker();
  const result = await inThread(
    exchange, path, bytes, bytes.length, fd, nothing, 0, none, TIMEOUT_MS,
  );
  checked(result, 'sendmsg', path);
}
