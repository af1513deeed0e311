import type { Duplex } from 'node:stream';

/**
 * Carries bytes both ways until `stream` has no more, or `signal` aborts. Everything has then been
 * handed to `client`, which is neither ended nor destroyed: what it still holds it still sends.
 */
export function exchange(
  stream: Duplex,
  client: Duplex,
  { stdin, signal }: { readonly stdin: boolean; readonly signal: AbortSignal },
): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      signal.removeEventListener('abort', finish);
      client.unpipe(stream);
      stream.unpipe(client);
      client.resume();
      stream.destroy();
      resolve();
    };
    // A process that has closed its stdin, or a shim that has gone: `close` follows.
    stream.on('error', () => client.unpipe(stream));
    stream.once('end', finish).once('close', finish);
    signal.addEventListener('abort', finish, { once: true });
    // A process that ended before anybody listened: its `close` does not come again.
    if (signal.aborted || stream.destroyed || stream.readableEnded) {
      finish();
      return;
    }
    if (stdin) client.pipe(stream);
    else client.resume();
    stream.pipe(client, { end: false });
  });
}
