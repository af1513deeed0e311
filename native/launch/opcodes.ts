/**
 * Every step that a launch program may contain: one system call (or one fixed idiom of calls that
 * must not be torn apart), named after it. This list is the only home of the numbers and operands:
 * `native/shim/opcodes.h` is generated from it (`npm run build`), and a test checks that they agree.
 * A new opcode needs a stated system call; everything that can be said with these is said in
 * TypeScript.
 *
 * Operand kinds, in the order in which they are encoded:
 * - `fd`    a slot of the fd table that both strands share (the child has a copy from `clone` on);
 *           `CWD` is AT_FDCWD
 * - `out`   a slot that the step fills; what it held is closed first
 * - `u32`, `u64`, `str` (bytes ending in NUL), `bytes`, `strs` (a list of `str`)
 */
export const opcodes = {
  // files
  openat2: { code: 1, call: 'openat2(2)', operands: { out: 'out', dir: 'fd', path: 'str', flags: 'u64', mode: 'u32', resolve: 'u64' } },
  close: { code: 2, call: 'close(2)', operands: { fd: 'fd' } },
  write: { code: 3, call: 'write(2)', operands: { fd: 'fd', bytes: 'bytes' } },
  mkdirat: { code: 4, call: 'mkdirat(2)', operands: { dir: 'fd', path: 'str', mode: 'u32' } },
  mknodat: { code: 5, call: 'mknodat(2)', operands: { dir: 'fd', path: 'str', mode: 'u32', major: 'u32', minor: 'u32' } },
  symlinkat: { code: 6, call: 'symlinkat(2)', operands: { target: 'str', dir: 'fd', path: 'str' } },
  fchownat: { code: 7, call: 'fchownat(2)', operands: { dir: 'fd', path: 'str', uid: 'u32', gid: 'u32' } },
  fchmodat: { code: 8, call: 'fchmodat(2)', operands: { dir: 'fd', path: 'str', mode: 'u32' } },
  /**
   * Opens the place in a root where something will be mounted, making what is missing: every
   * component by openat2 with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS relative to `root`, then
   * mkdirat, and at the end mkdirat (`kind` 0) or mknodat of an empty file (`kind` 1).
   */
  target: { code: 9, call: 'openat2(2), mkdirat(2), mknodat(2)', operands: { out: 'out', root: 'fd', path: 'str', kind: 'u32', mode: 'u32' } },
  chdir: { code: 10, call: 'chdir(2)', operands: { path: 'str' } },
  fchdir: { code: 11, call: 'fchdir(2)', operands: { fd: 'fd' } },
  chroot: { code: 12, call: 'chroot(2)', operands: { path: 'str' } },
  umask: { code: 13, call: 'umask(2)', operands: { mask: 'u32' } },
  dup2: { code: 14, call: 'dup3(2)', operands: { fd: 'fd', to: 'u32' } },
  /** Refuses (EACCES) a fd that is not on a filesystem of this magic: procfs, devpts, cgroup. */
  fstatfsMagic: { code: 15, call: 'fstatfs(2)', operands: { fd: 'fd', magic: 'u64' } },
  /** Refuses (ENODEV) a fd that is not the character device major:minor. */
  fstatDevice: { code: 16, call: 'fstat(2)', operands: { fd: 'fd', major: 'u32', minor: 'u32' } },
  /** Refuses (ENOENT) when the cwd lies outside the root: the path does not start with `/`. */
  getcwd: { code: 17, call: 'getcwd(2)', operands: {} },

  /** Copies what is below one folder into another, owners and times too, and follows no link. */
  copyTree: { code: 18, call: 'openat(2), copy_file_range(2), mkdirat(2), …', operands: { from: 'fd', to: 'fd' } },
  /** Refuses (EEXIST) a fd whose kind is another than that of `mode`, or a device with other numbers. */
  fstatNode: { code: 19, call: 'fstat(2)', operands: { fd: 'fd', mode: 'u32', major: 'u32', minor: 'u32' } },

  // mounts
  fsopen: { code: 20, call: 'fsopen(2)', operands: { out: 'out', type: 'str' } },
  fsconfigString: { code: 21, call: 'fsconfig(2) SET_STRING', operands: { fs: 'fd', key: 'str', value: 'str' } },
  fsconfigFlag: { code: 22, call: 'fsconfig(2) SET_FLAG', operands: { fs: 'fd', key: 'str' } },
  fsmount: { code: 23, call: 'fsconfig(2) CREATE, fsmount(2)', operands: { out: 'out', fs: 'fd', attrs: 'u64' } },
  openTree: { code: 24, call: 'open_tree(2)', operands: { out: 'out', dir: 'fd', path: 'str', flags: 'u32' } },
  moveMount: { code: 25, call: 'move_mount(2)', operands: { from: 'fd', to: 'fd', path: 'str', flags: 'u32' } },
  /** `userns` is a slot for an idmapped mount, or CWD for none. */
  mountSetattr: { code: 26, call: 'mount_setattr(2)', operands: { dir: 'fd', path: 'str', flags: 'u32', set: 'u64', clear: 'u64', propagation: 'u64', userns: 'fd' } },
  /** The old call, for kernels and filesystems without the new one; the target is a path or `/proc/self/fd/<slot>` when `on` is not CWD. */
  mount: { code: 27, call: 'mount(2)', operands: { source: 'str', on: 'fd', target: 'str', type: 'str', flags: 'u64', data: 'str' } },
  umount2: { code: 28, call: 'umount2(2)', operands: { path: 'str', flags: 'u32' } },
  /** pivot_root(".", ".") with the cwd in the new root, then umount2(".", MNT_DETACH). */
  pivotRoot: { code: 29, call: 'pivot_root(2), umount2(2)', operands: {} },

  /** A filesystem that is mounted, to be changed: `fsconfig…`, then `fsReconfigure`. */
  fspick: { code: 30, call: 'fspick(2)', operands: { out: 'out', mount: 'fd' } },
  fsReconfigure: { code: 31, call: 'fsconfig(2) RECONFIGURE', operands: { fs: 'fd' } },

  // namespaces and processes
  /** Host strand only, once: makes the init strand's process. `cgroup` is a v2 directory slot or CWD. */
  clone: { code: 40, call: 'clone3(2)', operands: { flags: 'u64', cgroup: 'fd' } },
  /**
   * As `clone`, but init lives in the shim's memory until it executes, for which the shim waits: its
   * strand may wait for nobody but the kernel. It is killed when it takes longer than `limitMs`; one
   * that is the first of a pid namespace, which no timer of its own may kill, with the shim.
   */
  cloneVm: { code: 89, call: 'clone3(2) CLONE_VM | CLONE_VFORK, timer_create(2), prctl(2)', operands: { flags: 'u64', cgroup: 'fd', limitMs: 'u32' } },
  setns: { code: 41, call: 'setns(2)', operands: { fd: 'fd', type: 'u32' } },
  unshare: { code: 42, call: 'unshare(2)', operands: { flags: 'u64' } },
  /** Init strand: goes on in a child (after setns into a pid or time namespace); the parent becomes a relay that exits with it. */
  fork: { code: 43, call: 'fork(2)', operands: {} },
  setsid: { code: 44, call: 'setsid(2)', operands: {} },
  /** Opens `/proc/<pid of init>/<name>` as the host sees it: uid_map, gid_map, setgroups, oom_score_adj, ns/net. */
  openChild: { code: 45, call: 'openat(2)', operands: { out: 'out', name: 'str', flags: 'u32' } },
  sethostname: { code: 46, call: 'sethostname(2)', operands: { name: 'str' } },
  setdomainname: { code: 47, call: 'setdomainname(2)', operands: { name: 'str' } },
  /** In the host strand it is init that gets it: raising a limit may take what init has not. */
  setrlimit: { code: 48, call: 'prlimit64(2)', operands: { resource: 'u32', soft: 'u64', hard: 'u64' } },
  prctl: { code: 49, call: 'prctl(2)', operands: { option: 'u32', arg2: 'u64', arg3: 'u64', arg4: 'u64', arg5: 'u64' } },
  setgroups: { code: 50, call: 'setgroups(2)', operands: { gids: 'bytes' } },
  setresgid: { code: 51, call: 'setresgid(2)', operands: { gid: 'u32' } },
  setresuid: { code: 52, call: 'setresuid(2)', operands: { uid: 'u32' } },
  capset: { code: 53, call: 'capset(2)', operands: { effective: 'u64', permitted: 'u64', inheritable: 'u64' } },
  /** Drops every capability up to the kernel's last that is not in `keep`. */
  capBounding: { code: 54, call: 'prctl(2) PR_CAPBSET_DROP', operands: { keep: 'u64' } },
  capAmbient: { code: 55, call: 'prctl(2) PR_CAP_AMBIENT', operands: { raise: 'u64' } },
  /** `filter` is an array of struct sock_filter; `out` gets the listener fd when flags ask for one. */
  seccomp: { code: 56, call: 'seccomp(2)', operands: { flags: 'u32', filter: 'bytes', out: 'out' } },
  personality: { code: 57, call: 'personality(2)', operands: { persona: 'u64' } },
  /** This and the next, too, are for init in either strand. */
  ioprioSet: { code: 58, call: 'ioprio_set(2)', operands: { ioprio: 'u32' } },
  schedSetattr: { code: 59, call: 'sched_setattr(2)', operands: { attr: 'bytes' } },
  keyctlJoin: { code: 60, call: 'keyctl(2) JOIN_SESSION_KEYRING', operands: { name: 'str' } },
  /** Always with CLOSE_RANGE_CLOEXEC: the strand needs its slots, and the way to report, up to execve. */
  closeRange: { code: 61, call: 'close_range(2)', operands: { first: 'u32', last: 'u32', flags: 'u32' } },
  /**
   * Waits at the gate first, until the daemon opens it; then tries each of `paths` as execvp(3)
   * would: goes on at ENOENT/ENOTDIR, remembers EACCES. The umask is 022 unless a step set one.
   */
  execve: { code: 62, call: 'execve(2)', operands: { paths: 'strs', argv: 'strs', env: 'strs' } },
  /** execve of an open file, close-on-exec or not, with the same gate: `--init` runs the shim's own sealed memfd as `docker-init -- cmd`. */
  execveat: { code: 65, call: 'execveat(2)', operands: { fd: 'fd', argv: 'strs', env: 'strs' } },
  /** Waits at the gate here, so that what follows is part of the start; `execve` then does not. */
  gate: { code: 67, call: 'read(2) on the strands\' socket', operands: {} },
  /**
   * Runs a program to its end with an open file as its input and no output; ECANCELED when it
   * fails, ETIMEDOUT when it takes longer than `timeoutMs` (0: as long as it likes).
   */
  hook: { code: 68, call: 'clone(2), execve(2), waitid(2)', operands: { input: 'fd', timeoutMs: 'u32', path: 'str', argv: 'strs', env: 'strs' } },
  /** `nodes` is a mask of bits; empty for modes that have none. */
  setMempolicy: { code: 69, call: 'set_mempolicy(2)', operands: { mode: 'u32', nodes: 'bytes' } },
  setpriority: { code: 63, call: 'setpriority(2)', operands: { nice: 'u32' } },
  schedSetaffinity: { code: 64, call: 'sched_setaffinity(2)', operands: { mask: 'bytes' } },
  /** A new user namespace with these maps, which a child that ends at once has made. */
  userns: { code: 66, call: 'clone(2), openat(2)', operands: { out: 'out', uidMap: 'bytes', gidMap: 'bytes' } },

  // standard streams
  pipe: { code: 70, call: 'pipe2(2)', operands: { read: 'out', write: 'out' } },
  /** Opens a new pty of the devpts whose root is `devpts`, checks its magic, and the peer by TIOCGPTPEER. */
  pty: { code: 71, call: 'openat(2), ioctl(2) TIOCGPTPEER', operands: { devpts: 'fd', controller: 'out', peer: 'out', rows: 'u32', columns: 'u32' } },
  /** Makes `fd` the controlling terminal of the session. */
  setctty: { code: 72, call: 'ioctl(2) TIOCSCTTY', operands: { fd: 'fd' } },
  /** Brings `/dev/<lo>` up in the current netns: the one link that exists before the plugin's. */
  loopbackUp: { code: 73, call: 'socket(2), ioctl(2) SIOCSIFFLAGS', operands: {} },

  // the conversation
  /** Wakes the other strand's `await` of the same token (each token once in each direction). */
  notify: { code: 80, call: 'write(2) on the strands\' socket', operands: { token: 'u32' } },
  /** Sends `fd` (a slot of this strand) along with the token: the other strand's `await` puts it into its `out`. */
  notifyFd: { code: 81, call: 'sendmsg(2) SCM_RIGHTS', operands: { token: 'u32', fd: 'fd' } },
  await: { code: 82, call: 'read(2) on the strands\' socket', operands: { token: 'u32' } },
  awaitFd: { code: 83, call: 'recvmsg(2) SCM_RIGHTS', operands: { token: 'u32', out: 'out' } },
  /** Host strand: tells TypeScript `token` and the pid of init, then waits for its answer (go on, or give up). */
  yield: { code: 84, call: 'write(2), read(2) on the control socket', operands: { token: 'u32' } },
  /** The same, where the answer brings a descriptor; EBADF when it brings none. */
  yieldFd: { code: 88, call: 'write(2), recvmsg(2) SCM_RIGHTS on the control socket', operands: { token: 'u32', out: 'out' } },
  /** Writes the bytes that the last answer carried: uid maps, sysctls known late. */
  writeAnswer: { code: 85, call: 'write(2)', operands: { fd: 'fd' } },
  /** Host strand: sends the last answer, with a duplicate of `fd`, to who listens at `path`. */
  sendAnswer: { code: 87, call: 'socket(2), connect(2), sendmsg(2) SCM_RIGHTS', operands: { path: 'str', fd: 'fd' } },
  /** Goes to a label further on: the way round a fall-back. */
  jump: { code: 86, call: 'none', operands: {} },

  // another runtime
  /** Runs a program to its end; EPROTO when its status is not 0, ETIMEDOUT when it is killed (0: never). */
  spawn: { code: 90, call: 'fork(2), execve(2), waitpid(2)', operands: { timeoutMs: 'u32', argv: 'strs', env: 'strs', stdin: 'fd', stdout: 'fd', stderr: 'fd' } },
  /** The same behind the gate, in place of an execve: the container runs when it has ended well. */
  spawnAtGate: { code: 91, call: 'fork(2), execve(2), waitpid(2)', operands: { timeoutMs: 'u32', argv: 'strs', env: 'strs', stdin: 'fd', stdout: 'fd', stderr: 'fd' } },
  /** Host strand: from now on init is the process whose number is in this file, an orphan of ours. */
  adoptInit: { code: 92, call: 'openat(2), pidfd_open(2)', operands: { dir: 'fd', path: 'str' } },
  listenUnix: { code: 93, call: 'socket(2), bind(2), listen(2)', operands: { out: 'out', path: 'str' } },
  /** The descriptor that the first to connect sends. */
  acceptFd: { code: 94, call: 'accept4(2), recvmsg(2) SCM_RIGHTS', operands: { socket: 'fd', out: 'out' } },
} as const satisfies Record<string, OpcodeEntry>;

/** How an operand is encoded: `fd` a slot that is read, `out` one that is filled. */
export type OperandKind = 'fd' | 'out' | 'u32' | 'u64' | 'str' | 'bytes' | 'strs';

/** One kind of step, as the encoder and the C header see it; codes are never used anew. */
export interface OpcodeEntry {
  readonly code: number;
  /** The system call that it stands for, with its section. */
  readonly call: string;
  readonly operands: Readonly<Record<string, OperandKind>>;
}

/** Names of all steps that a program can have. */
export type Opcode = keyof typeof opcodes;

interface OperandTypes {
  fd: Slot;
  out: Slot;
  u32: number;
  u64: number | bigint;
  str: string;
  bytes: Uint8Array;
  strs: readonly string[];
}

/** A place in the fd table, 0…255; `CWD` where a step may do without. */
export type Slot = number;
/** AT_FDCWD, and "none" where an operand is optional. */
export const CWD: Slot = 0xffffffff;
/** A part of the token of a `yield` that TypeScript is not told of: it answers by itself, once. */
export const UNASKED = 0x8000_0000;

type Operands<O extends Opcode> = {
  readonly [K in keyof (typeof opcodes)[O]['operands']]: (typeof opcodes)[O]['operands'][K] extends infer Kind extends OperandKind
    ? OperandTypes[Kind]
    : never;
};

/** One step with its operands, and what to do when its call fails. */
export type Step<O extends Opcode = Opcode> = O extends Opcode
  ? { readonly op: O } & Operands<O> & StepOptions
  : never;

/** What any step may carry besides its operands. */
export interface StepOptions {
  /** Errno names that are no failure here. */
  readonly tolerate?: readonly string[];
  /**
   * Label, further on, where to go after a tolerated errno (or, for `jump`, always); the next step
   * by default. Never backwards: every program ends.
   */
  readonly goto?: string;
  /** Lets other steps point here. */
  readonly label?: string;
  /** What a user would call this step, for the error: `mount /proc`, `device /dev/fuse`. */
  readonly about?: string;
}

/** What the shim carries out: two strands over one table of fd slots. */
export interface LaunchProgram {
  /** In the shim itself: private mount namespace, rootfs, sources, clone, conversation. */
  readonly host: readonly Step[];
  /** In the container's first process, from `clone` to `execve`. */
  readonly init: readonly Step[];
}
