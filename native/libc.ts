/**
 * The native functions of this folder, typed, one line each: the small C library that we build, and
 * whatever of libc needs no structures. Who needs another call adds it here; calls with structures
 * (mounts, netlink) live in modules of their own.
 *
 * *fast*: never sleeps, called on the main thread. *slow*: may sleep; called by `.async` or in a
 * worker. Never `.async`: what changes the thread itself (setns, unshare, chdir, umask, capset).
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import koffi from 'koffi';
import { errnoName } from './errno.js';
import { ErrnoError } from './errno-error.js';

/**
 * Where `native/build.mjs` puts what it compiles, seen from `dist/native/` and, for tools that run
 * the TypeScript as it is, from `native/`.
 */
export function builtFile(name: string): string {
  const beside = fileURLToPath(new URL(name, import.meta.url));
  if (existsSync(beside)) return beside;
  return fileURLToPath(new URL(`../dist/native/${name}`, import.meta.url));
}

interface Slow<Parameters extends readonly unknown[]> {
  readonly async: (
    ...parameters: [...Parameters, (error: Error | null, result: number) => void]
  ) => void;
}

type Both<Parameters extends readonly unknown[]> = Slow<Parameters> &
  ((...parameters: Parameters) => number);

interface Library {
  /** slow: until the child has been scheduled and has executed the program */
  readonly tsd_spawn: Slow<
    [number, (string | null)[], (string | null)[], Int32Array, number]
  >;
  /** fast */
  readonly tsd_spawn_now: (
    execFd: number,
    argv: (string | null)[],
    fds: Int32Array,
    count: number,
  ) => number;
  /** fast */
  readonly tsd_spawn_failure: (pid: number) => number;
  /** fast */
  readonly tsd_reap: (pid: number, status: Int32Array) => number;
  /** fast */
  readonly tsd_seal_program: (path: string, name: string) => number;
  /** fast */
  readonly tsd_open_read_only: (path: string) => number;
  /** fast */
  readonly tsd_socketpair: (pair: Int32Array) => number;
  /** fast; returns only a failure */
  readonly tsd_execve: (
    path: string,
    argv: (string | null)[],
    env: (string | null)[],
    lastFd: number,
  ) => number;
  /** slow */
  readonly tsd_send_fd: (socket: number, bytes: Uint8Array, size: number, fd: number) => number;
  /** slow */
  readonly tsd_receive_fd: (
    socket: number,
    bytes: Uint8Array,
    size: number,
    fd: Int32Array,
  ) => number;
  /** slow; fast where the other side is one that answers at once */
  readonly tsd_exchange: Both<
    [string, Uint8Array, number, number, Uint8Array, number, Int32Array, number]
  >;
  /** fast */
  readonly tsd_datagram_open: (path: string) => number;
  /** fast */
  readonly tsd_datagram_send: (
    socket: number,
    bytes: Uint8Array,
    size: number,
    asMemory: number,
  ) => number;
  /** slow: the disk */
  readonly tsd_remove_small: Slow<[string, number]>;
  /** slow: the disk */
  readonly tsd_write_files: Slow<[(string | null)[], (string | null)[], number]>;
  /** slow */
  readonly tsd_make_folders: Slow<[(string | null)[], number]>;
  /** slow */
  readonly tsd_remove_folders: Slow<[(string | null)[]]>;
}

let library: Library | undefined;

/** Our own C library; loaded at the first call, so that unit tests need no build of it. */
export function tsdocker(): Library {
  library ??= loadLibrary();
  return library;
}

function loadLibrary(): Library {
  const so = koffi.load(builtFile('libtsdocker.so'));
  const declarations: Record<keyof Library, string> = {
    tsd_spawn:
      'int32_t tsd_spawn(int32_t, const char **, const char **, const int32_t *, int32_t)',
    tsd_spawn_now:
      'int32_t tsd_spawn_now(int32_t, const char **, const int32_t *, int32_t)',
    tsd_spawn_failure: 'int32_t tsd_spawn_failure(int32_t)',
    tsd_reap: 'int32_t tsd_reap(int32_t, _Out_ int32_t *)',
    tsd_seal_program: 'int32_t tsd_seal_program(const char *, const char *)',
    tsd_open_read_only: 'int32_t tsd_open_read_only(const char *)',
    tsd_socketpair: 'int32_t tsd_socketpair(_Out_ int32_t *)',
    tsd_execve: 'int32_t tsd_execve(const char *, const char **, const char **, int32_t)',
    tsd_send_fd: 'int32_t tsd_send_fd(int32_t, const uint8_t *, int32_t, int32_t)',
    tsd_receive_fd: 'int32_t tsd_receive_fd(int32_t, _Out_ uint8_t *, int32_t, _Out_ int32_t *)',
    tsd_exchange:
      'int32_t tsd_exchange(const char *, const uint8_t *, int32_t, int32_t, ' +
      '_Out_ uint8_t *, int32_t, _Out_ int32_t *, int32_t)',
    tsd_datagram_open: 'int32_t tsd_datagram_open(const char *)',
    tsd_datagram_send: 'int32_t tsd_datagram_send(int32_t, const uint8_t *, int32_t, int32_t)',
    tsd_remove_small: 'int32_t tsd_remove_small(const char *, int32_t)',
    tsd_write_files: 'int32_t tsd_write_files(const char **, const char **, uint32_t)',
    tsd_make_folders: 'int32_t tsd_make_folders(const char **, uint32_t)',
    tsd_remove_folders: 'int32_t tsd_remove_folders(const char **)',
  };
  const functions = Object.entries(declarations).map(([name, text]) => [name, so.func(text)]);
  // The declarations above and the interface say the same; C is checked against tsdocker.h.
  return Object.fromEntries(functions) as Library;
}

const libc = koffi.load(null);
const nativePrctl = libc.func('int prctl(int, ulong, ulong, ulong, ulong)');

const PR_SET_CHILD_SUBREAPER = 36;

/**
 * Orphans of our descendants come to us instead of PID 1, so that the exit code of a container
 * whose shim was killed is still ours to reap. Fast.
 */
export function setChildSubreaper(): void {
  // koffi's functions are untyped; prctl returns an int.
  const result = nativePrctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) as number;
  if (result < 0) throw new ErrnoError('prctl', errnoName(koffi.errno()), 'PR_SET_CHILD_SUBREAPER');
}

const nativeYield = libc.func('int sched_yield()');

/** Lets threads run that wait for this processor, if any do; returns when it is our turn again. */
export function yieldProcessor(): void {
  nativeYield();
}

/** What a slow function of ours returns, called in a thread of the pool. */
export function inThread<Parameters extends readonly unknown[]>(
  { async: call }: Slow<Parameters>,
  ...parameters: Parameters
): Promise<number> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, result: number): void =>
      error === null ? resolve(result) : reject(error);
    call(...parameters, done);
  });
}

/** The result of a function of ours; throws `ErrnoError` for a negative one. */
export function checked(result: number, syscall: string, about?: string): number {
  if (result < 0) throw new ErrnoError(syscall, errnoName(result), about);
  return result;
}
