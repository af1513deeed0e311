/**
 * nftables by libnftables, without a process: one context is reused, for it costs 0.1 ms to make.
 * Slow: commands take locks in the kernel; only the network worker calls it. What is given must be
 * built from typed values, never from a user's string.
 */
import koffi from 'koffi';
import { ErrnoError } from './errno-error.js';
import { netlinkProtocols, openNetlinkSocket } from './netlink/socket.js';

const outputJson = 1 << 4;
/** NFT_CTX_OUTPUT_NUMERIC_ALL: no names for ports, protocols and priorities. */
const outputNumeric = (1 << 7) | (1 << 8) | (1 << 9) | (1 << 10);
const outputHandles = 1 << 3;
/** NFT_CTX_OUTPUT_TERSE: sets without their elements. */
const outputTerse = 1 << 11;

/** How often a transaction that a signal interrupted is tried again. */
const maxInterruptions = 20;

/** How a listing is printed. */
export interface ListingFormat {
  readonly json?: boolean;
  /** Sets without their elements. */
  readonly terse?: boolean;
  /** Each rule with its handle. */
  readonly handles?: boolean;
}

/** A context; it works in the namespace where it was opened. Not for use by several threads. */
export interface Nftables {
  /**
   * Carries out `commands` as one transaction and gives back what they printed. Throws
   * `ErrnoError` with the errno that the library tells of, about its own words.
   */
  run(commands: string, format?: ListingFormat): string;
  close(): void;
}

/**
 * Opens a context in the namespace that the thread is in. Throws `ErrnoError` ENOENT when
 * libnftables.so.1 is not installed, and EPROTONOSUPPORT when the kernel has no nf_tables.
 */
export function openNftables(): Nftables {
  // The library ends the whole process when the kernel has no such socket.
  openNetlinkSocket(netlinkProtocols.netfilter).close();
  const library = loadLibrary();
  const context: unknown = library.create(0);
  library.bufferOutput(context);
  library.bufferError(context);
  return {
    run: (commands, format = {}) => {
      library.setFlags(context, outputFlags(format));
      return undisturbed(() => {
        // koffi declares the results as int and str.
        const result = library.run(context, commands) as number;
        const output = library.output(context) as string;
        const said = library.error(context) as string;
        if (result !== 0) throw failure(said);
        return output;
      });
    },
    close: () => void library.free(context),
  };
}

/**
 * Tries a transaction again that a signal on this thread interrupted (EINTR): the kernel has undone
 * the whole of it.
 */
export function undisturbed<Result>(transaction: () => Result): Result {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return transaction();
    } catch (error) {
      const isInterrupted = error instanceof ErrnoError && error.code === 'EINTR';
      if (!isInterrupted || attempt === maxInterruptions) throw error;
    }
  }
}

/** Whether an error says that there is no nftables at all: no library, or not in this kernel. */
export function lacksNftables(error: unknown): boolean {
  return (
    error instanceof ErrnoError &&
    (error.syscall === 'dlopen' ||
      ['EPROTONOSUPPORT', 'EOPNOTSUPP', 'EAFNOSUPPORT'].includes(error.code))
  );
}

function outputFlags(format: ListingFormat): number {
  return outputNumeric
    | (format.json === true ? outputJson : 0)
    | (format.terse === true ? outputTerse : 0)
    | (format.handles === true ? outputHandles : 0);
}

/** The library's words tell the errno only as strerror's sentence. */
const sentences: readonly (readonly [string, string])[] = [
  // A kernel without nf_tables.
  ['cache initialization failed', 'EPROTONOSUPPORT'],
  ['Interrupted system call', 'EINTR'],
  ['No such file or directory', 'ENOENT'],
  ['File exists', 'EEXIST'],
  ['Device or resource busy', 'EBUSY'],
  ['Operation not permitted', 'EPERM'],
  ['Operation not supported', 'EOPNOTSUPP'],
  ['Protocol not supported', 'EPROTONOSUPPORT'],
];

function failure(said: string): ErrnoError {
  const first = said.split('\n').find((line) => line.includes('Error:')) ?? said;
  const code = sentences.find(([sentence]) => first.includes(sentence))?.[1] ?? 'EINVAL';
  return new ErrnoError('nft', code, said.trim().slice(0, 500));
}

function loadLibrary() {
  let library;
  try {
    library = koffi.load('libnftables.so.1');
  } catch {
    throw new ErrnoError('dlopen', 'ENOENT', 'libnftables.so.1');
  }
  return {
    create: library.func('nft_ctx_new', 'void *', ['uint32']),
    free: library.func('nft_ctx_free', 'void', ['void *']),
    run: library.func('nft_run_cmd_from_buffer', 'int', ['void *', 'str']),
    bufferOutput: library.func('nft_ctx_buffer_output', 'int', ['void *']),
    bufferError: library.func('nft_ctx_buffer_error', 'int', ['void *']),
    output: library.func('nft_ctx_get_output_buffer', 'str', ['void *']),
    error: library.func('nft_ctx_get_error_buffer', 'str', ['void *']),
    setFlags: library.func('nft_ctx_output_set_flags', 'void', ['void *', 'uint']),
  };
}
