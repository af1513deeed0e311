import type { Duplex } from 'node:stream';
import type { Forward, Place } from '../../native/shim/held-socket.js';
import type { LogBounds } from '../../native/shim/monitor-settings.js';

/**
 * A task is a container's live process under its shim: what the containers service sees of the
 * runtime. It outlives the daemon; `Runtime.adopt` finds it again.
 */
export interface Task {
  readonly containerId: string;
  /** PID of the container's first process, in the daemon's pid namespace. */
  readonly pid: number;
  readonly shimPid: number;
  /**
   * Opens the gate: resolves once execve has succeeded. Rejects with `ApiError` 400 in the words
   * that clients match on (`exec: "x": executable file not found in $PATH`, `permission denied`).
   */
  start(): Promise<void>;
  /** Joins the standard streams; allowed before `start`, and then misses nothing. */
  attach(options: AttachOptions): Promise<Duplex>;
  /** As `attach`; what was said before is in the log up to `position`, or comes first. */
  attachAfterLog(options: AttachOptions): Promise<{
    readonly stream: Duplex;
    readonly position: { readonly inode: bigint; readonly offset: number };
  }>;
  /** Resolves once the log has been rotated more than `seen` times, to how often; else rejects. */
  logTurn(seen: bigint): Promise<bigint>;
  /** Resolves once memory has run out for more than `seen` of its processes; for how many. */
  oomTurn(seen: bigint): Promise<bigint>;
  /** `<log>.z<inode>` takes the place of that rotated file; false when it is none any more. */
  logCompressed(inode: bigint): Promise<boolean>;
  /** So many rotated files more than are configured stay, until another number is told. */
  logKeep(files: number): Promise<void>;
  /** Its log is written by other bounds from the next line on. */
  logSettings(bounds: LogBounds): Promise<void>;
  /** Its published ports; a container that has ended holds none (`ErrnoError` ESRCH, EPIPE). */
  readonly ports: TaskPorts;
  /** Signal number to PID 1 (by pidfd); false when it has already exited. */
  signal(signal: number): Promise<boolean>;
  resize(rows: number, columns: number): Promise<void>;
  /** A pidfd of the first process, which names it for ever; the caller closes it. */
  pidFd(): Promise<number>;
  /** Its root with all that is mounted there, opened O_PATH; the caller closes it. */
  rootDir(): Promise<number>;
  /** It has a group that can be frozen: an ordinary user's daemon may have none. */
  readonly canPause: boolean;
  pause(): Promise<void>;
  unpause(): Promise<void>;
  /** Settles exactly once, after the logs are drained and the status is on disk. */
  readonly exited: Promise<TaskExit>;
  /** After `exited`: lets the shim go, removes cgroups. Idempotent; tries everything. */
  dispose(): Promise<void>;
}

/** The sockets that a shim holds for networks, which live as long as the process does. */
export interface TaskPorts {
  /** Keeps a duplicate of a bound socket. */
  hold(fd: number): Promise<void>;
  /** What comes to the socket at `place` goes there, or nowhere; ENOENT without such a socket. */
  aim(place: Place, forward: Forward | undefined): Promise<void>;
  /** Closes the socket at `place`; ENOENT without one. */
  drop(place: Place): Promise<void>;
  /** Keeps duplicates of the sockets of its DNS server, for a daemon to come. */
  keepNames(sockets: NameSockets): Promise<void>;
  /** What was kept, the caller's to close; undefined when nothing was. */
  keptNames(): Promise<NameSockets | undefined>;
}

/** The sockets of a DNS server inside a container, by fd. */
export interface NameSockets {
  readonly udpFd: number;
  readonly tcpFd: number;
}

/** How the first process ended. */
export interface TaskExit {
  /** 0…255; 128+n after signal n. */
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** Milliseconds since the epoch, as the shim saw it. */
  readonly finishedAtMs: number;
  /** Why the code is not the process's own: the shim was killed. */
  readonly error?: string;
}

/** Which streams to join, and in which form. */
export interface AttachOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Bytes come in Docker's stdcopy frames; never with a TTY. */
  readonly framed: boolean;
  /** Sequence that ends the attachment from stdin, as bytes; empty for none. */
  readonly detachKeys: Uint8Array;
}
