/** How a command ends when it fails: what stderr shows and the exit status of the program. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError';

  constructor(
    message: string,
    readonly exitStatus = 1,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
  }
}

/** The command line itself is wrong: shown with the usage line of the command. */
export class UsageError extends CommandError {
  override readonly name = 'UsageError';
}

/**
 * Shown as it is, with status 1, even where other failures get a prefix and a status of their own.
 */
export class PlainError extends CommandError {
  override readonly name = 'PlainError';
}

/**
 * The command ends with this status and has said all that there is to say (`run`, `exec`, `wait`).
 */
export class ExitStatus extends CommandError {
  override readonly name = 'ExitStatus';

  constructor(status: number) {
    super('', status);
  }
}

/** The text of anything thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
