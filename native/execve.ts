import { checked, tsdocker } from './libc.js';

/** The program that a process turns into, with all of its environment. */
export interface Execution {
  readonly path: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Descriptors 0 to this one are the new program's too. */
  readonly lastFd: number;
}

/**
 * Turns this process into another program: same pid, no child. Does not return; throws
 * `ErrnoError` when the program cannot be executed, and nothing has changed then but that the
 * descriptors are inheritable. (execve(2))
 */
export function execve({ path, argv, environment, lastFd }: Execution): never {
  const env = Object.entries(environment).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  );
  checked(tsdocker().tsd_execve(path, [...argv, null], [...env, null], lastFd), 'execve', path);
  throw new Error('execve came back without an error');
}
