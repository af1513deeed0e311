/** Programs of others, found as a shell would find them. */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { codeOf } from './errno-error.js';

/**
 * The absolute path of a program's file in the folders of PATH (or another such list), then in
 * `also`; undefined when nobody has one that may be executed.
 */
export function findProgram(
  name: string,
  also: readonly string[] = [],
  path = process.env['PATH'] ?? '',
): string | undefined {
  const folders = [...path.split(delimiter).filter((each) => each !== ''), ...also];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch (error) {
    if (codeOf(error) === '') throw error;
    return false;
  }
}
