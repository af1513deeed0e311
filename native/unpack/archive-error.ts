/**
 * An archive that is malformed, hostile or over a limit: the sender's fault, in words for the
 * sender.
 * `kind` is what an API would call it.
 */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError';

  constructor(
    readonly kind: 'InvalidParameter' | 'TooLarge',
    message: string,
  ) {
    super(message);
  }
}
