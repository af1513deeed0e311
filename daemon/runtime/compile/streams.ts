/** Where 0, 1 and 2 come from: the shim's pipes, a pty, or whoever launches. */
import type { Slot, Step } from '../../../native/launch/opcodes.js';
import type { StdioSettings } from '../../../native/shim/monitor-settings.js';
import type { IdMapping, OciProcess } from '../oci.js';
import type { ProgramBuilder, SharedSlots } from './builder.js';
import { openNull, placeConsole } from './devices.js';
import { hostId } from './id-maps.js';
import * as kernel from './kernel.js';
import type { MountedSlots } from './mounts.js';

/** The token by which init sends the pty's controlling side to the host. */
export const CONSOLE = 3;

/** The standard streams, as one side of a launch or the other has them. */
export type Streams =
  | {
      readonly kind: 'pty';
      readonly settings: StdioSettings;
      readonly controller: Slot;
      readonly peer: Slot;
    }
  | {
      readonly kind: 'pipes';
      readonly settings: StdioSettings;
      readonly stdin?: Slot;
      readonly outputs: readonly Slot[];
    }
  | {
      readonly kind: 'inherited';
      readonly settings: StdioSettings;
      readonly fds: readonly Slot[];
    };

/** What the streams depend on. */
export interface StreamPlan {
  readonly streams?: 'shim' | 'inherited' | 'console';
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
}

/** The host's part: before the clone, so that both strands have the slots. */
export function openStreams(
  builder: ProgramBuilder,
  process: OciProcess,
  plan: StreamPlan,
  uidMappings?: readonly IdMapping[],
): Streams {
  if (plan.streams === 'inherited') {
    // Filled by who launches; nothing of them is the shim's.
    const fds = [builder.slot(), builder.slot(), builder.slot()];
    return { kind: 'inherited', settings: { kind: 'none' }, fds };
  }
  const pipe = (): { read: Slot; write: Slot } => {
    const ends = { read: builder.slot(), write: builder.slot() };
    builder.host.push({ op: 'pipe', ...ends, about: 'standard streams' });
    return ends;
  };
  if (process.terminal) {
    const controller = builder.slot();
    const settings: StdioSettings =
      plan.streams === 'console' ? { kind: 'none' } : { kind: 'pty', controller };
    return { kind: 'pty', settings, controller, peer: builder.slot() };
  }
  const stdin = plan.stdin ? pipe() : undefined;
  const [stdout, stderr] = [pipe(), pipe()];
  if (uidMappings !== undefined) {
    const ends = [...(stdin === undefined ? [] : [stdin.read]), stdout.write, stderr.write];
    builder.host.push(...givePipes(ends, hostId(uidMappings, process.user.uid)));
  }
  return {
    kind: 'pipes',
    settings: {
      kind: 'pipes', stdout: stdout.read, stderr: stderr.read, stdinOnce: plan.stdinOnce,
      ...(stdin === undefined ? {} : { stdin: stdin.write }),
    },
    ...(stdin === undefined ? {} : { stdin: stdin.read }),
    outputs: [stdout.write, stderr.write],
  };
}

/** Pipes are the host's: their ends are given to who will have them, under the id it has there. */
function givePipes(ends: readonly Slot[], uid: number | undefined): Step[] {
  if (uid === undefined) return [];
  return ends.map((dir) => ({
    op: 'fchownat', dir, path: '', uid, gid: -1, about: 'standard streams',
  }));
}

/** What init's part builds on. */
export interface StreamParts {
  readonly builder: ProgramBuilder;
  readonly slots: SharedSlots;
  readonly process: OciProcess;
  readonly mounted: MountedSlots;
}

/** Init's part: the slots of 0, 1 and 2. */
export function attachStreams(
  { builder, slots, process, mounted }: StreamParts,
  streams: Streams,
): readonly Slot[] {
  if (streams.kind === 'inherited') return streams.fds;
  if (streams.kind === 'pipes') {
    if (streams.stdin !== undefined) return [streams.stdin, ...streams.outputs];
    const nothing = builder.slot();
    builder.init.push(...openNull(slots, nothing));
    return [nothing, ...streams.outputs];
  }
  const { controller, peer } = streams;
  const { height: rows = 0, width: columns = 0 } = process.consoleSize ?? {};
  const devpts = mounted.devpts ?? slots.scratch;
  if (mounted.devpts === undefined) {
    // The user's own /dev: its pts is another instance, found inside the root.
    builder.init.push({
      op: 'openat2', out: devpts, dir: slots.root, path: '/dev/pts',
      flags: kernel.O_RDONLY | kernel.O_DIRECTORY, mode: 0, resolve: kernel.INSIDE,
      about: 'console',
    });
  }
  builder.init.push({ op: 'pty', devpts, controller, peer, rows, columns, about: 'console' });
  if (mounted.dev !== undefined) placeConsole(builder, slots, mounted.dev, peer);
  builder.init.push(
    { op: 'notifyFd', token: CONSOLE, fd: controller }, { op: 'close', fd: controller },
  );
  return [peer, peer, peer];
}
