/**
 * A launch program for a container that another OCI runtime makes. The shim does what is not the
 * runtime's: the root filesystem and the streams; it runs `create`, takes over the process that is
 * left, and runs `start` when the gate is opened. What follows is as with its own containers.
 */
import { CWD, type Slot, type Step } from '../../../native/launch/opcodes.js';
import { CREATED, privateMounts, type CompiledLaunch, type LaunchPlan } from '../compile.js';
import { ProgramBuilder } from '../compile/builder.js';
import * as kernel from '../compile/kernel.js';
import { mountRootfs } from '../compile/rootfs.js';
import { openStreams, type Streams } from '../compile/streams.js';
import type { OciConfig } from '../oci.js';

/** Less than the daemon waits for a gate to be passed; `create` has the launch's own limit. */
export const START_TIMEOUT_MS = 20_000;

/** Where the runtime's part of a container is; absolute. */
export interface ForeignPlan extends Pick<LaunchPlan, 'bundle' | 'rootfs' | 'stdin' | 'stdinOnce'> {
  /** The runtime's program with its global flags. */
  readonly command: readonly string[];
  readonly env: readonly string[];
  readonly containerId: string;
  readonly pidFile: string;
  /** At most 107 bytes: for the terminal. */
  readonly consoleSocket: string;
}

/** Pure. */
export function compileForeign(config: OciConfig, plan: ForeignPlan): CompiledLaunch {
  const builder = new ProgramBuilder();
  const { host, init } = builder;
  const nothing = builder.slot();
  const rootDir = builder.slot();
  host.push({
    op: 'openat2', out: nothing, dir: CWD, path: '/dev/null', flags: kernel.O_RDWR, mode: 0,
    resolve: 0, about: '/dev/null',
  });
  const streams = openStreams(builder, config.process, plan);
  host.push(...privateMounts());
  mountRootfs(builder, plan.rootfs, `${plan.bundle}/rootfs`, {});
  host.push(
    ...create(builder, plan, streams, nothing),
    { op: 'clone', flags: 0, cgroup: CWD, about: 'start' },
    { op: 'adoptInit', dir: CWD, path: plan.pidFile, about: 'process of the runtime' },
    { op: 'yield', token: CREATED, about: 'network' },
    {
      op: 'openChild', out: rootDir, name: 'root', flags: kernel.O_PATH | kernel.O_DIRECTORY,
      about: 'root filesystem',
    },
  );
  const all = { stdin: nothing, stdout: nothing, stderr: nothing };
  init.push({
    op: 'spawnAtGate', timeoutMs: START_TIMEOUT_MS,
    argv: [...plan.command, 'start', plan.containerId], env: plan.env, ...all,
    about: 'start',
  });
  return {
    program: builder.program(), stdio: streams.settings, rootDir, inherited: [], passed: [],
  };
}

function create(
  builder: ProgramBuilder,
  plan: ForeignPlan,
  streams: Streams,
  nothing: Slot,
): Step[] {
  const { command, env, bundle, pidFile, consoleSocket, containerId } = plan;
  const argv = (...more: readonly string[]): readonly string[] => [
    ...command, 'create', '--bundle', bundle, '--pid-file', pidFile, ...more, containerId,
  ];
  const about = 'create';
  if (streams.kind === 'pty') {
    const socket = builder.slot();
    const all = { stdin: nothing, stdout: nothing, stderr: nothing };
    return [
      { op: 'listenUnix', out: socket, path: consoleSocket, about: 'console' },
      {
        op: 'spawn', timeoutMs: 0, argv: argv('--console-socket', consoleSocket), env, ...all,
        about,
      },
      { op: 'acceptFd', socket, out: streams.controller, about: 'console' },
      { op: 'close', fd: socket },
    ];
  }
  const { stdin = nothing, outputs: [stdout = nothing, stderr = nothing] } =
    streams.kind === 'pipes' ? streams : { outputs: [] };
  return [{ op: 'spawn', timeoutMs: 0, argv: argv(), env, stdin, stdout, stderr, about }];
}
