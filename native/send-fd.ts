import { checked, tsdocker } from './libc.js';

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
  const result = await new Promise<number>((resolve, reject) => {
    const done = (error: Error | null, sent: number): void =>
      error === null ? resolve(sent) : reject(error);
    tsdocker().tsd_exchange.async(
      path,
      bytes,
      bytes.length,
      fd,
      nothing,
      0,
      none,
      TIMEOUT_MS,
      done,
    );
  });
  checked(result, 'sendmsg', path);
}
