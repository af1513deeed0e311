/** Why a layer could not be had, in Docker's words where Docker has some. */
import { ApiError, noSpace, systemError } from '../../api-spec/errors.js';
import { ErrnoError } from '../../native/errno-error.js';
import { ArchiveError } from '../../native/unpack/archive-error.js';
import { ContentError } from '../content/index.js';

/** An abort stays what it was; a registry's error is worded by whoever knows the reference. */
export function layerFailure(error: unknown, digest: string, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof ContentError) {
    const text = `filesystem layer verification failed for digest ${digest}`;
    return systemError(error.code === 'SIZE' ? `${text}: ${error.message}` : text, error);
  }
  if (error instanceof ErrnoError) return diskFailure(error.code, error);
  if (error instanceof ArchiveError) {
    return new ApiError(error.kind, prefix + error.message, { cause: error });
  }
  if (isFileError(error)) return diskFailure(error.code, error);
  if (error instanceof ApiError && !error.message.startsWith(prefix)) {
    return new ApiError(error.kind, prefix + error.message, { cause: error });
  }
  return error;
}

/** What the disk said of an archive on its way in; anything else as it is. */
export function fileFailure(error: unknown): unknown {
  return isFileError(error) ? diskFailure(error.code, error) : error;
}

const prefix = 'failed to register layer: ';

function diskFailure(code: string, error: Error): ApiError {
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return noSpace(`${prefix}no space left on device`, error);
  }
  return systemError(prefix + error.message, error);
}

/** Node's own errors of files have a `path`; those of sockets do not. */
function isFileError(error: unknown): error is Error & { code: string } {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return false;
  return (
    typeof error.code === 'string' &&
    ['write', 'open', 'fsync', 'rename', 'mkdir'].includes(String(error.syscall))
  );
}
