import koffi from 'koffi';
import { errnoName } from './errno.js';
import { ErrnoError } from './errno-error.js';

const mkfifo = koffi.load(null).func('mkfifo', 'int', ['str', 'uint']);

/** Makes a named pipe for our own user; one that is there already stays. Throws `ErrnoError`. */
export function makeFifo(path: string): void {
  // koffi declares the call as int.
  if ((mkfifo(path, 0o600) as number) >= 0) return;
  const code = errnoName(koffi.errno());
  if (code !== 'EEXIST') throw new ErrnoError('mkfifo', code, path);
}
