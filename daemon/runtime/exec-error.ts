/** A failed exec in the words that clients know from `docker exec`. */
import { conflict, invalidParameter, systemError } from '../../api-spec/errors.js';
import { LaunchError } from '../../native/launch/encode.js';
import { errnoWords } from './errno-words.js';
import { execWords } from './launch-error.js';

const PREFIX = 'OCI runtime exec failed: exec failed: unable to start container process: ';

/** Any error of an exec's launch as the API shows it; errors that are not a launch's pass. */
export function execFailure(error: unknown): unknown {
  if (!(error instanceof LaunchError)) return error;
  const { about, code, step } = error;
  if (code === 'ESRCH')
    return conflict('the container is not running: its process has ended', error);
  const reason = errnoWords[code] ?? code;
  if (step?.op === 'execve')
    return invalidParameter(PREFIX + execWords(about, code, reason), error);
  const folder = /^working directory (.*)$/s.exec(about)?.[1];
  if (folder === undefined) return systemError(`${PREFIX}${about}: ${reason}: unknown`, error);
  return invalidParameter(
    `${PREFIX}chdir to cwd ("${folder}") set in config.json failed: ${reason}: unknown`,
    error,
  );
}
