/** The gate of a launch whose launcher has left (`Launching.leave`), by the shim's socket. */
import { errnoName } from '../errno.js';
import { ErrnoError } from '../errno-error.js';
import { LaunchError } from '../launch/encode.js';
import { connectSocket } from './connected-shim.js';
import { Connection } from './connection.js';
import { frameTypes, words } from './protocol.js';

const OPEN_TIMEOUT_MS = 30_000;

/**
 * Opens the gate; resolves when execve has succeeded. `about` is the command, for the error.
 * Rejects with `LaunchError` (execve failed: the shim has undone the launch), or with `ErrnoError`:
 * ENOENT or ECONNREFUSED when no shim is there, EINVAL when the gate has been opened before.
 */
export async function openGate(socketPath: string, about: string): Promise<void> {
  const seen: { failure?: LaunchError } = {};
  const connection = new Connection(await connectSocket(socketPath), ({ type, payload }) => {
    if (type !== frameTypes.failed) return;
    seen.failure = new LaunchError('init', errnoName(payload.readInt32LE(8)), about);
  });
  try {
    await connection.request(frameTypes.open, words(), OPEN_TIMEOUT_MS);
  } catch (error) {
    throw seen.failure ?? error;
  } finally {
    connection.socket.destroy();
  }
}

/**
 * Undoes the launch: init is killed, the shim ends. Resolves when it has; rejects with `ErrnoError`
 * as `openGate` does. Idempotent only in its effect: a second call finds nobody.
 */
export async function abandonGate(socketPath: string): Promise<void> {
  const connection = new Connection(await connectSocket(socketPath));
  try {
    // Answered only when it is refused: a shim that agrees just goes.
    await connection.request(frameTypes.abort, words(), OPEN_TIMEOUT_MS);
  } catch (error) {
    if (!(error instanceof ErrnoError && error.code === 'EPIPE')) throw error;
  } finally {
    connection.socket.destroy();
  }
}
