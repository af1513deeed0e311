/**
 * A failed launch in the words that clients match on: the CLI's exit codes 126 and 127 are theirs.
 */
import { ApiError, invalidParameter, systemError } from '../../api-spec/errors.js';
import { LaunchError } from '../../native/launch/encode.js';
import { errnoWords } from './errno-words.js';

/** How what a runtime says of a launch begins. */
export const CREATE_FAILED = 'failed to create task for container: OCI runtime create failed: ';
const PREFIX = `${CREATE_FAILED}unable to start container process: `;

/** Any error of a launch as what the API shows; errors that are not a launch's pass unchanged. */
export function launchFailure(error: unknown): unknown {
  return error instanceof LaunchError ? apiError(error) : error;
}

/** A limit that the kernel does not take, in the words of a failed launch. */
export function limitFailure(error: unknown): unknown {
  if (!(error instanceof ApiError)) return error;
  const text = `${PREFIX}unable to apply cgroup configuration: ${error.message}: unknown`;
  return new ApiError(error.kind, text, { cause: error });
}

function apiError(error: LaunchError): ApiError {
  // A file on a folder and a folder on a file are told in the same words.
  const isMismatch = error.about.startsWith('mount ') && error.code === 'EISDIR';
  const code = isMismatch ? 'ENOTDIR' : error.code;
  const reason = reasonOf(error.about, code);
  if (error.step?.op === 'execve' || error.step?.op === 'execveat') {
    return invalidParameter(PREFIX + execWords(error.about, error.code, reason), error);
  }
  if (error.about.startsWith('working directory')) {
    return invalidParameter(`${PREFIX}${error.about}: ${reason}`, error);
  }
  const hint =
    error.about.startsWith('mount ') && code === 'ENOTDIR'
      ? ': Are you trying to mount a directory onto a file (or vice-versa)? Check if the ' +
        'specified host path exists and is the expected type'
      : '';
  const text = `${PREFIX}${error.about}: ${reason}: unknown${hint}`;
  return askedWrongly.has(code) ? invalidParameter(text, error) : systemError(text, error);
}

function reasonOf(about: string, code: string): string {
  if (about.startsWith('hook ') && code === 'ECANCELED') return 'it failed';
  if (about.startsWith('hook ') && code === 'ETIMEDOUT') return 'it took longer than its timeout';
  if (code === 'EINVAL' && about.startsWith('id map of ')) {
    return 'its file system cannot show mapped owners';
  }
  return errnoWords[code] ?? code;
}

/** What Docker takes for the fault of who asked, whatever step it was. */
const askedWrongly: ReadonlySet<string> = new Set(['ENOENT', 'EACCES', 'ENOTDIR']);

/** The refusal of a program, as runc words it. */
export function execWords(command: string, code: string, reason: string): string {
  if (code !== 'ENOENT') return `exec: "${command}": ${reason}: unknown`;
  return command.includes('/')
    ? `exec: "${command}": stat ${command}: ${reason}: unknown`
    : `exec: "${command}": executable file not found in $PATH: unknown`;
}
