import type { Slot } from '../launch/opcodes.js';

/**
 * What the shim needs to know besides the program: where its socket, log and exit file are, which
 * slots hold the streams, and the bounds. Paths are absolute and opened before the program's first
 * step, in the daemon's view of the filesystem.
 */
export interface MonitorSettings {
  /** The shim's socket; its folder exists. Any length: it is bound through the folder's fd. */
  readonly socketPath: string;
  /** Exit file, written by rename; its folder exists. See `ExitStatus`. Absent for none. */
  readonly exitPath?: string;
  /** The shim goes by itself once it has told of the end: nobody needs to say `bye`. */
  readonly leaves?: boolean;
  /**
   * For how long the word that execve has succeeded may wait for that of the end, where the gate
   * opens at once: who is told both at once is woken once. At once by default.
   */
  readonly openWaitMs?: number;
  /** Kept in memory for whoever finds the shim, by `getFd('note')`. */
  readonly note?: Uint8Array;
  readonly stdio: StdioSettings;
  readonly log: LogSettings;
  readonly attach: AttachLimits;
  /**
   * How long output is still read after the process has ended while others hold its pipes. With a
   * pid namespace of its own nobody does, and EOF comes at once. 2000 suits most.
   */
  readonly drainMs: number;
  /** `memory.oom_control` (v1) or `memory.events` (v2): their `oom_kill` count is read at exit. */
  readonly oomFiles: readonly string[];
  /**
   * `cgroup.kill` or `cgroup.procs` files: what is left there when the process has ended is killed.
   * For a container without a pid namespace of its own; empty otherwise and for an exec.
   */
  readonly killAtExit: readonly string[];
  /** Slot with the container's root folder, for `getFd('rootDir')`; the program fills it. */
  readonly rootDir?: Slot;
  /**
   * Slots that live on past the gate: reserved sockets, the rootfs's mount. The streams and
   * `rootDir` do anyway; every other slot of the shim is closed when execve has succeeded.
   */
  readonly keep: readonly Slot[];
}

/** The shim's ends of the standard streams, as slots of the host strand. */
export type StdioSettings =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'pipes';
      /** Write end of the process's stdin. Absent: it has none (the program gave it /dev/null). */
      readonly stdin?: Slot;
      readonly stdout?: Slot;
      readonly stderr?: Slot;
      /** Close stdin once the last client attached to it has half-closed or gone. */
      readonly stdinOnce: boolean;
    }
  | {
      readonly kind: 'pty';
      /** The pty's controlling side; usually came by `notifyFd` from init. */
      readonly controller: Slot;
    };

/** How a log is written that can change while it is. */
export interface LogBounds {
  /** A file this large is rotated before the next line; 0 for never. */
  readonly maxSizeBytes: number;
  /** Files in all, the current one counted; 1 truncates in place of rotating. */
  readonly maxFiles: number;
  /** The value of each line's `attrs` (labels, env), as a JSON object; absent for none. */
  readonly attrsJson?: string;
}

/** Where the shim writes what the process says, in Docker's format. */
export type LogSettings =
  | { readonly kind: 'none' }
  | (LogBounds & {
      readonly kind: 'json-file';
      /** Appended to; rotated to `<path>.1` … as Docker does. */
      readonly path: string;
    });

/** What a client that reads slower than the container writes may cost. */
export interface AttachLimits {
  /** Folder on a disk for the unlinked spill files. */
  readonly spillDir: string;
  /** Per client, beyond its 128 KiB in memory; 0 for none. When full, the container waits. */
  readonly spillBytes: number;
  /** A client that takes no byte for this long while output waits for it is dropped. */
  readonly stallMs: number;
}

/** What the exit file holds, as one JSON object. */
export interface ExitStatus {
  /** 0…255; 128+n after signal n. */
  readonly exitCode: number;
  /** Signal that ended the process; 0 for none. */
  readonly signal: number;
  readonly oomKilled: boolean;
  /** Milliseconds since the epoch. */
  readonly finishedAtMs: number;
  /** Bytes of log that could not be written (disk full). */
  readonly logBytesLost: number;
}
