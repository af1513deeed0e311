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
