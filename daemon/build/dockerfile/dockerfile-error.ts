import { invalidParameter } from '../../../api-spec/errors.js';

/** What is wrong with a Dockerfile, and where; `ApiError` 400 in Docker's words. */
export function errorAt(line: number, message: string): Error {
  return invalidParameter(`dockerfile parse error on line ${line}: ${message}`);
}

/** What is wrong with a Dockerfile where Docker names no line. */
export function parseFailure(message: string): Error {
  return invalidParameter(`failed to parse Dockerfile: ${message}`);
}
