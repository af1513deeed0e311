/** What the caller of the runtime did wrong or may not have; the message is shown as it is. */
export class OciError extends Error {
  override readonly name = 'OciError';

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
  }
}
