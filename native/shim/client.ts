import type { Socket } from 'node:net';
import type { LaunchProgram, Slot } from '../launch/opcodes.js';
import type { HeldSocket } from './held-socket.js';
import type { StartedShim } from './launch.js';
import type { Forward, Place } from './held-socket.js';
import type { ExitStatus, LogBounds, MonitorSettings } from './monitor-settings.js';

export { connect, connectIfThere } from './connected-shim.js';
export { readExitFile } from './exit-file.js';
export { abandonGate, openGate } from './gate.js';
export { dropShim, launch, startShim } from './launch.js';
export type { Forward, HeldSocket, Place } from './held-socket.js';
export type { StartedShim } from './launch.js';
export type * from './monitor-settings.js';

/** A program in bytes, as `encodeProgram` makes them. */
export interface EncodedProgram {
  readonly bytes: Uint8Array;
  /** What it was made of: asked for when a step has failed, to say which. */
  readonly source: () => LaunchProgram;
}

/** What `launch` needs. */
export interface LaunchRequest {
  readonly program: LaunchProgram | EncodedProgram;
  readonly monitor: MonitorSettings;
  /** Fds that the shim finds in these slots; they stay the caller's to close, after `launch`. */
  readonly passFds?: ReadonlyMap<Slot, number>;
  /** Sockets for the shim to keep while the process lives; at most 16 384. Also the caller's. */
  readonly held?: readonly HeldSocket[];
  /**
   * Answers each `yield` step: init (`pid`, 0 before `clone`) goes on meanwhile, the host strand
   * waits. A rejection gives the launch up: the shim undoes it, and `launch` rejects with that same
   * error.
   */
  readonly onYield?: (token: number, pid: number) => Promise<YieldAnswer | undefined>;
  /** The answer to the program's one `yield` that is `UNASKED`; a rejection as of `onYield`. */
  readonly unasked?: Promise<YieldAnswer | undefined>;
  /** Attached before anything has run, so that it misses nothing. */
  readonly client?: FirstClient;
  /**
   * Init does not stop at the gate: `launch` resolves once execve has succeeded, and `open` at
   * once. The shim may find the process running, or ended.
   */
  readonly opens?: boolean;
  /**
   * A shim that was started ahead, with the fds of `passFds` and then `held`, or one that is idle:
   * then `passFds` is at most one, and is passed by the launch. `launch` owns it.
   */
  readonly started?: Promise<StartedShim>;
  /**
   * Called with the shim when it has nothing of this launch any more and could carry out another;
   * instead of its end, and not always. Only for what has no log, no exit file and no ports.
   */
  readonly onIdle?: (shim: StartedShim) => void;
  /** Gives the launch up. */
  readonly signal?: AbortSignal;
  /** Time for everything up to the gate; 30 000 by default. */
  readonly timeoutMs?: number;
}

/** What a `yield` is answered besides "go on". */
export interface YieldAnswer {
  /** What `writeAnswer` writes; at most 64 KiB. */
  readonly bytes?: Uint8Array;
  /** What `yieldFd` puts into its slot, a duplicate; the caller's to close, after `launch`. */
  readonly fd?: number;
}

/** A process that stands before its execve: everything is set up, nothing of it has run. */
export interface Launching {
  /** Of the container's first process, in the daemon's pid namespace. */
  readonly pid: number;
  /** Usable at once: attach before `open` and miss nothing. */
  readonly shim: Shim;
  /**
   * Opens the gate; resolves when execve has succeeded. Rejects with `LaunchError` (ENOENT,
   * EACCES, ENOEXEC, …), after which everything is undone.
   */
  open(): Promise<void>;
  /** Instead of `open`: kills init, ends the shim; resolves when both are gone. */
  abort(): Promise<void>;
  /**
   * Instead of both: init stays at the gate when this process ends, until somebody calls `openGate`
   * or `abandonGate`. The connection of `shim` is let go. With `handOver` the shim ends once execve
   * has succeeded, and init becomes the child of the nearest subreaper above it (conmon,
   * containerd's shim): for streams that are not the shim's, and without an exit file.
   */
  leave(options: { readonly handOver: boolean }): Promise<void>;
}

/** How things stand, as the shim tells whoever connects. */
export interface ShimHello {
  /** Protocol that this shim speaks. */
  readonly version: number;
  readonly shimPid: number;
  readonly pid: number;
  /** execve has succeeded. */
  readonly started: boolean;
  /** Set once the process has ended. */
  readonly exit?: ExitStatus;
}

/** How a container's process ended, as far as its shim can tell. */
export type Exited =
  | ({ readonly lost: false } & ExitStatus)
  /** The shim went without a word (killed): read the exit file, else the code is unknown. */
  | { readonly lost: true };

/** Which streams a connection takes; at least one. */
export interface AttachRequest {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Docker's stdcopy frames; otherwise stdout and stderr as they come. */
  readonly framed: boolean;
  /** Ends the attachment when it arrives on stdin; empty for none, at most 16 bytes. */
  readonly detachKeys: Uint8Array;
}

/** A client whose socket comes with the launch: one of its `passFds`. */
export interface FirstClient extends AttachRequest {
  readonly slot: Slot;
}

/** Where the log ended when somebody attached. */
export interface LogPosition {
  /** Of the log's file, whatever its name is by now; 0 when there is no log. */
  readonly inode: bigint;
  readonly offset: number;
}

/**
 * From this slot on a shim closes what it was given as soon as the process has ended: sockets
 * inside the container would keep its network alive.
 */
export const firstInnerSlot: Slot = 248;

/** What `getFd` can fetch. */
export type ShimFd =
  | { readonly kind: 'netns' }
  | { readonly kind: 'rootDir' }
  | { readonly kind: 'pidfd' }
  /** A file with the note of the launch at its beginning. */
  | { readonly kind: 'note' }
  /** Whatever a kept slot holds: a reserved socket, for one. */
  | { readonly kind: 'slot'; readonly slot: Slot };

/** A connection to a running shim. Every call rejects with `ErrnoError` when the shim says no. */
export interface Shim {
  readonly socketPath: string;
  hello(): Promise<ShimHello>;
  /**
   * A stream of its own: reads output, writes stdin; `end()` half-closes (EOF of this client's
   * stdin), the other side ends when the output does. Bytes flow from the moment it resolves.
   */
  attach(request: AttachRequest): Promise<Socket>;
  /** As `attach`; what was said before is in the log up to `position`, or comes first. */
  attachAfterLog(
    request: AttachRequest,
  ): Promise<{ readonly stream: Socket; readonly position: LogPosition }>;
  /** Resolves once the log has been rotated more than `seen` times; to how often. */
  logTurn(seen: bigint): Promise<bigint>;
  /**
   * `<log>.z<inode>` takes the place of the rotated file with that inode; false when that is no
   * longer one of the log's.
   */
  logCompressed(inode: bigint): Promise<boolean>;
  /** Resolves once memory has run out for more than `seen` of its processes; for how many. */
  oomTurn(seen: bigint): Promise<bigint>;
  /** So many rotated files more than are configured stay, until another number or this end. */
  logKeep(files: number): Promise<void>;
  /** The log is written by other bounds from the next line on; ENODATA when there is none. */
  logSettings(bounds: LogBounds): Promise<void>;
  /** Holds a duplicate of a bound socket until the process has ended, and serves nobody by it. */
  portHold(fd: number): Promise<void>;
  /** What comes to the held socket at `place` goes there, or nowhere; ENOENT without one. */
  portAim(place: Place, forward: Forward | undefined): Promise<void>;
  /** Closes the held socket at `place`; ENOENT without one. Open connections go on. */
  portDrop(place: Place): Promise<void>;
  /** To the first process, by pidfd; false when it has already ended. */
  signal(signal: number): Promise<boolean>;
  /** Only with a pty (ENOTTY without). */
  resize(rows: number, columns: number): Promise<void>;
  /** Settles once, never rejects; the exit file is written before. */
  readonly exited: Promise<Exited>;
  /** A duplicate that the caller closes. */
  getFd(what: ShimFd): Promise<number>;
  /** Gives the shim a duplicate of `fd` to hold in `slot`, closing what was there. */
  addFd(slot: Slot, fd: number): Promise<void>;
  dropFd(slot: Slot): Promise<void>;
  /**
   * After `exited`: the shim ends, and with it its mounts and held fds. Resolves when it has gone
   * (attached clients that still have output to read keep it, not this call). EBUSY before exit.
   */
  bye(): Promise<void>;
  /** Lets this connection go; the shim lives on. For a daemon that stops. */
  disconnect(): void;
}

