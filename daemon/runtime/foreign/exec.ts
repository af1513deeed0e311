/**
 * An exec that another runtime's program carries out, because the container is not made of this
 * kernel's namespaces: the shim has that program for its process, with the streams of the exec.
 */
import { CWD } from '../../../native/launch/opcodes.js';
import { ProgramBuilder, type SharedSlots } from '../compile/builder.js';
import type { CompiledExec } from '../compile/exec.js';
import * as kernel from '../compile/kernel.js';
import { connectStreams } from '../compile/process.js';
import { attachStreams, CONSOLE, openStreams } from '../compile/streams.js';
import type { OciProcess } from '../oci.js';

/** What is run, and whose streams it has. */
export interface ForeignExecPlan {
  /** The program and its words; the first is absolute. */
  readonly command: readonly string[];
  readonly env: readonly string[];
  /** Of it only the terminal counts: the rest is the runtime's to do. */
  readonly process: OciProcess;
  readonly stdin: boolean;
  readonly hasClient: boolean;
}

/** Pure. The process is the host's, as the daemon is: it joins nothing. */
export function compileForeignExec(plan: ForeignExecPlan): CompiledExec {
  const { command, env, process, stdin, hasClient } = plan;
  const builder = new ProgramBuilder();
  const { host, init } = builder;
  const pidFd = builder.slot();
  const client = hasClient ? builder.slot() : undefined;
  const slots: SharedSlots = {
    root: builder.slot(), scratch: builder.slot(), scratch2: builder.slot(),
  };
  const streams = openStreams(builder, process, { stdin, stdinOnce: true });
  host.push({ op: 'clone', flags: 0, cgroup: CWD, about: 'process' });
  if (streams.kind === 'pty') {
    host.push({ op: 'awaitFd', token: CONSOLE, out: streams.controller, about: 'console' });
  }
  init.push(
    { op: 'setsid', about: 'session' },
    {
      op: 'openat2', out: slots.root, dir: CWD, path: '/',
      flags: kernel.O_PATH | kernel.O_DIRECTORY, mode: 0, resolve: 0, about: 'root of the host',
    },
  );
  const ends = attachStreams({ builder, slots, process, mounted: {} }, streams);
  init.push(
    ...connectStreams(ends, 0),
    ...(streams.kind === 'pty'
      ? [{ op: 'setctty', fd: streams.peer, about: 'console' } as const]
      : []),
    { op: 'closeRange', first: 3, last: 0xffffffff, flags: 0 },
    { op: 'gate' },
    { op: 'execve', paths: command.slice(0, 1), argv: command, env, about: command[0] ?? '' },
  );
  return {
    program: builder.program(), stdio: streams.settings, pidFd, inherited: [], passed: [],
    ...(client === undefined ? {} : { client }),
  };
}
