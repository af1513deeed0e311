/**
 * A system call that failed: the one error that `native`, drivers and plugins throw for the
 * kernel's "no".
 */
export class ErrnoError extends Error {
  override readonly name = 'ErrnoError';

  constructor(
    /** As in the man page: `mount_setattr`. */
    readonly syscall: string,
    /** `ENOENT`, … */
    readonly code: string,
    /** The path, link or rule that it was about. */
    readonly about?: string,
  ) {
    super(`${syscall}${about === undefined ? '' : ` ${about}`}: ${code}`);
  }
}

/** `ENOENT`, … of an error of Node's or of ours; empty for one without a code. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : '';
}

/** Whether an error has one of these codes. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes(codeOf(error));
}
