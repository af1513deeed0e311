import { ApiError } from '../../api-spec/errors.js';

/** A command of a `RUN` ended with something else than 0. */
export class CommandFailed extends ApiError {
  constructor(
    words: readonly string[],
    readonly exitCode: number,
  ) {
    super('System', `The command '${words.join(' ')}' returned a non-zero code: ${exitCode}`);
  }
}
