/** Sockets of the network namespace that a shim is in. */
import { closeSync, openSync, constants } from 'node:fs';
import { basename, dirname } from 'node:path';
import { errnoName } from '../errno.js';
import { ErrnoError } from '../errno-error.js';
import { checked, tsdocker } from '../libc.js';
import type { SocketPlace } from '../netlink/inet-socket.js';
import { O_PATH } from '../open-flags.js';
import { encodeFrame, FRAME_HEADER_BYTES, frameTypes, placeBytes, words } from './protocol.js';

/** The shim answers at once: it does nothing else. */
const timeoutMs = 5000;

/**
 * As `openInetSocket`, but born there. Fast; waits for the shim. The caller closes the fd. Throws
 * `ErrnoError`: bind(2)'s, or ECONNREFUSED and ENOENT where there is no shim.
 */
export function bindByShim(socketPath: string, place: SocketPlace): number {
  const { protocol, address, port, listen } = place;
  const payload = Buffer.concat([placeBytes({ protocol, address, port }), words(listen ? 1 : 0)]);
  const request = encodeFrame(frameTypes.portBind, 0, payload);
  const answer = Buffer.alloc(FRAME_HEADER_BYTES + 4);
  const got = new Int32Array(1);
  // sun_path is short: by the folder's fd any path will do.
  const folder = openSync(dirname(socketPath), O_PATH | constants.O_DIRECTORY);
  try {
    const path = `/proc/self/fd/${folder}/${basename(socketPath)}`;
    const size = tsdocker().tsd_exchange(
      path, request, request.length, -1, answer, answer.length, got, timeoutMs);
    checked(size, 'shim.exchange', socketPath);
    const fd = got[0] ?? -1;
    const isWhole = size === answer.length;
    const errno = isWhole ? errnoName(answer.readInt32LE(FRAME_HEADER_BYTES)) : 'EPIPE';
    if (fd < 0) throw new ErrnoError('bind', errno, `${protocol} ${address}:${port}`);
    return fd;
  } finally {
    closeSync(folder);
  }
}
