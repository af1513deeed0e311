/** The project's own files, for the tests that read them as text. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's root directory. */
export const projectRoot = fileURLToPath(new URL('../../../', import.meta.url));

/** One file of the project. */
export interface ProjectFile {
  /** Relative to the root. */
  readonly path: string;
  readonly text: string;
}

const binary = /\.(png|tar|gz|zst)$/;

/** All files that git tracks or would track, but for the lock file; by path. */
export function projectFiles(): readonly ProjectFile[] {
  const listed = execFileSync(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard'],
    {
      cwd: projectRoot,
      encoding: 'utf8',
    },
  );
  return [...new Set(listed.split('\0'))]
    .filter((path) => path !== '' && path !== 'package-lock.json' && !binary.test(path))
    .filter((path) => existsSync(join(projectRoot, path)))
    .map((path) => ({ path, text: readFileSync(join(projectRoot, path), 'utf8') }));
}

/** Those that are programs, in any language. */
export function sourceFiles(): readonly ProjectFile[] {
  return projectFiles().filter(({ path }) => /\.(c?ts|mjs|cjs|js|c|h)$/.test(path));
}

/** A line that breaks a rule, as it is shown. */
export function findings(
  files: readonly ProjectFile[],
  isWrong: (line: string, file: ProjectFile) => boolean,
): readonly string[] {
  return files.flatMap((file) =>
    file.text
      .split('\n')
      .flatMap((line, at) =>
        isWrong(line, file) ? [`${file.path}:${at + 1}: ${line.trim().slice(0, 80)}`] : [],
      ),
  );
}
