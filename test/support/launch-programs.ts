import { constants } from 'node:fs';
import { CWD, type LaunchProgram, type Slot, type Step } from '../../native/launch/opcodes.js';
import type { MonitorSettings } from '../../native/shim/monitor-settings.js';

const MS_REC = 0x4000;
const MS_SLAVE = 1 << 19;
const CLONE_NEWNS = 0x20000;
const CLONE_NEWUTS = 0x4000000;
const CLONE_NEWIPC = 0x8000000;
const CLONE_NEWPID = 0x20000000;
const OPEN_TREE_CLONE = 1;

/** Slots of the programs below. */
export const slots = {
  rootfs: 0,
  fs: 1,
  mount: 2,
  target: 3,
  stdinRead: 4,
  stdinWrite: 5,
  stdoutRead: 6,
  stdoutWrite: 7,
  stderrRead: 8,
  stderrWrite: 9,
  controller: 10,
  peer: 11,
  rootDir: 12,
  /** The first of those that tests use for their own. */
  free: 20,
} as const satisfies Record<string, Slot>;

const ROOT_TOKEN = 1;
const PTY_TOKEN = 2;

/** A container with a tmpfs root that holds busybox and proc, in namespaces of its own. */
export interface Container {
  /** Folder that the root is mounted on, in the shim's own mount namespace. */
  readonly rootfs: string;
  readonly argv: readonly string[];
  readonly paths?: readonly string[];
  readonly env?: readonly string[];
  readonly tty?: boolean;
  /** Its stdin is a pipe, else /dev/null. */
  readonly stdin?: boolean;
  /** Put in before execve, after the pivot. */
  readonly beforeExec?: readonly Step[];
  /** Put in at the end of the host strand. */
  readonly atHostEnd?: readonly Step[];
  /** In the host's pid namespace. */
  readonly hostPid?: boolean;
}

/** `busybox sh -c script`. */
export function shell(script: string): readonly string[] {
  return ['/bin/busybox', 'sh', '-c', script];
}

export function containerProgram(container: Container): LaunchProgram {
  const namespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC;
  const flags = container.hostPid === true ? namespaces : namespaces | CLONE_NEWPID;
  return {
    host: [
      { op: 'unshare', flags: CLONE_NEWNS },
      slaveMounts,
      ...(container.tty === true ? [] : pipes(container)),
      { op: 'clone', flags, cgroup: CWD },
      { op: 'awaitFd', token: ROOT_TOKEN, out: slots.rootDir },
      ...(container.tty === true ? [awaitController] : []),
      ...(container.atHostEnd ?? []),
    ],
    init: [
      slaveMounts,
      ...tmpfsRoot(container.rootfs),
      ...mountIn('proc', 'proc', {}),
      ...(container.tty === true ? ptySteps : []),
      { op: 'fchdir', fd: slots.rootfs },
      { op: 'pivotRoot' },
      openStep(slots.rootDir, '/', constants.O_DIRECTORY),
      { op: 'notifyFd', token: ROOT_TOKEN, fd: slots.rootDir },
      { op: 'setsid' },
      ...(container.tty === true ? joinPty : joinPipes(container)),
      ...(container.beforeExec ?? []),
      {
        op: 'execve',
        paths: container.paths ?? [container.argv[0] ?? ''],
        argv: container.argv,
        env: container.env ?? ['PATH=/bin', 'TERM=xterm'],
        about: 'exec',
      },
    ],
  };
}

/** Opens a path, as the strand sees it, into a slot. */
export function openStep(out: Slot, path: string, flags: number, mode = 0): Step {
  return { op: 'openat2', out, dir: CWD, path, flags, mode, resolve: 0 };
}

/** The place in the container's root where something is mounted. */
export function targetStep(path: string, kind: 'folder' | 'file', out: Slot = slots.target): Step {
  const [number, mode] = kind === 'folder' ? [0, 0o755] : [1, 0o644];
  return { op: 'target', out, root: slots.rootfs, path, kind: number, mode };
}

const slaveMounts: Step = {
  op: 'mount',
  source: '',
  on: CWD,
  target: '/',
  type: '',
  flags: MS_REC | MS_SLAVE,
  data: '',
  about: 'make the mounts private',
};

function tmpfsRoot(path: string): readonly Step[] {
  return [
    { op: 'fsopen', out: slots.fs, type: 'tmpfs' },
    { op: 'fsmount', out: slots.rootfs, fs: slots.fs, attrs: 0 },
    { op: 'moveMount', from: slots.rootfs, to: CWD, path, flags: 0 },
    { op: 'openTree', out: slots.mount, dir: CWD, path: '/bin/busybox', flags: OPEN_TREE_CLONE },
    targetStep('/bin/busybox', 'file'),
    { op: 'moveMount', from: slots.mount, to: slots.target, path: '', flags: 0 },
    targetStep('/dev', 'folder'),
    { op: 'mknodat', dir: slots.rootfs, path: 'dev/null', mode: 0o20666, major: 1, minor: 3 },
    { op: 'mknodat', dir: slots.rootfs, path: 'dev/zero', mode: 0o20666, major: 1, minor: 5 },
  ];
}

function mountIn(
  type: string,
  path: string,
  options: Readonly<Record<string, string>>,
): readonly Step[] {
  const about = `mount /${path}`;
  return [
    { op: 'fsopen', out: slots.fs, type },
    ...Object.entries(options).map(
      ([key, value]): Step => ({ op: 'fsconfigString', fs: slots.fs, key, value }),
    ),
    { op: 'fsmount', out: slots.mount, fs: slots.fs, attrs: 0 },
    targetStep(path, 'folder'),
    { op: 'moveMount', from: slots.mount, to: slots.target, path: '', flags: 0, about },
  ];
}

function pipes({ stdin }: Container): readonly Step[] {
  return [
    ...(stdin === true
      ? [{ op: 'pipe', read: slots.stdinRead, write: slots.stdinWrite } as const]
      : []),
    { op: 'pipe', read: slots.stdoutRead, write: slots.stdoutWrite },
    { op: 'pipe', read: slots.stderrRead, write: slots.stderrWrite },
  ];
}

function joinPipes({ stdin }: Container): readonly Step[] {
  return [
    ...(stdin === true ? [{ op: 'dup2', fd: slots.stdinRead, to: 0 } as const] : []),
    { op: 'dup2', fd: slots.stdoutWrite, to: 1 },
    { op: 'dup2', fd: slots.stderrWrite, to: 2 },
  ];
}

const awaitController: Step = { op: 'awaitFd', token: PTY_TOKEN, out: slots.controller };

const ptySteps: readonly Step[] = [
  ...mountIn('devpts', 'dev/pts', { ptmxmode: '0666' }),
  {
    op: 'pty',
    devpts: slots.mount,
    controller: slots.controller,
    peer: slots.peer,
    rows: 24,
    columns: 80,
  },
  { op: 'notifyFd', token: PTY_TOKEN, fd: slots.controller },
];

const joinPty: readonly Step[] = [
  { op: 'setctty', fd: slots.peer },
  { op: 'dup2', fd: slots.peer, to: 0 },
  { op: 'dup2', fd: slots.peer, to: 1 },
  { op: 'dup2', fd: slots.peer, to: 2 },
];

/** Settings for a container of `containerProgram` whose files all lie in `dir`. */
export function monitorIn(
  dir: string,
  container: Partial<Container>,
  changes: Partial<MonitorSettings> = {},
): MonitorSettings {
  const stdin = container.stdin === true ? { stdin: slots.stdinWrite } : {};
  const outputs = { stdout: slots.stdoutRead, stderr: slots.stderrRead };
  return {
    socketPath: `${dir}/shim.sock`,
    exitPath: `${dir}/exit`,
    stdio:
      container.tty === true
        ? { kind: 'pty', controller: slots.controller }
        : { kind: 'pipes', ...stdin, ...outputs, stdinOnce: true },
    log: { kind: 'json-file', path: `${dir}/log.json`, maxSizeBytes: 0, maxFiles: 1 },
    attach: { spillDir: dir, spillBytes: 8 * 1024 * 1024, stallMs: 5000 },
    drainMs: 2000,
    oomFiles: [],
    killAtExit: [],
    rootDir: slots.rootDir,
    keep: [],
    ...changes,
  };
}
