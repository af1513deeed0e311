/** Bytes that are not what was promised: the caller says to whom this is told, and how. */
export class ContentError extends Error {
  override readonly name = 'ContentError';

  constructor(
    /** `DIGEST`: other bytes than named. `SIZE`: more or fewer than announced. */
    readonly code: 'DIGEST' | 'SIZE',
    message: string,
  ) {
    super(message);
  }
}
