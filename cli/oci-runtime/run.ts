import type { Socket } from 'node:net';
import { constants } from 'node:os';
import type { Launching, Shim } from '../../native/index.js';
import { create, type CreateRequest } from './create.js';
import { remove } from './delete.js';
import { launchWords } from './launch-words.js';
import { OciError } from './oci-error.js';
import { afterStart } from './start.js';

/** A creation with the start, and without `detach` the end, in one command. */
export interface RunRequest extends Omit<CreateRequest, 'keepsTerminal'> {
  /** Returns once it runs. */
  readonly detach: boolean;
  /** The container stays after its end, stopped. */
  readonly keep: boolean;
  readonly warn: (message: string) => void;
}

/** 128 + 9: a shim that was killed cannot tell. */
const LOST = 137;

/** Create, start, and in the foreground wait and delete: the exit code of the process. */
export async function run(request: RunRequest): Promise<number> {
  const { detach } = request;
  const created = await create({ ...request, keepsTerminal: !detach });
  const { launching, record, config } = created;
  const attached = config.process.terminal && request.consoleSocket === undefined;
  try {
    const terminal = attached ? await attach(launching.shim) : undefined;
    const unforward = detach ? undefined : forwardSignals(launching.shim);
    try {
      await open(launching, detach);
      await afterStart(record);
      if (detach) return 0;
      const exit = await launching.shim.exited;
      await terminal?.ended;
      if (!exit.lost) await launching.shim.bye();
      if (!request.keep) await remove(request, record);
      return exit.lost ? LOST : exit.exitCode;
    } finally {
      unforward?.();
      terminal?.restore();
    }
  } catch (error) {
    await remove(request, record);
    throw launchWords(error);
  }
}

async function open(launching: Launching, detach: boolean): Promise<void> {
  await launching.open();
  // A terminal's or the caller's streams need no shim; it ends with the process.
  if (detach) launching.shim.disconnect();
}

const forwarded = [
  'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGCONT',
] as const;

function forwardSignals(shim: Shim): () => void {
  const handlers = forwarded.map((name) => {
    const onSignal = (): void => {
      // One that has ended meanwhile is told by `exited`.
      shim.signal(constants.signals[name]).catch(() => undefined);
    };
    process.on(name, onSignal);
    return () => process.off(name, onSignal);
  });
  return () => handlers.forEach((off) => off());
}

interface Terminal {
  readonly ended: Promise<void>;
  readonly restore: () => void;
}

/** Our own terminal, raw, to the container's; its size follows. */
async function attach(shim: Shim): Promise<Terminal> {
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY) {
    throw new OciError('a terminal in the foreground needs one: or give --console-socket');
  }
  const all = { stdin: true, stdout: true, stderr: true };
  const socket: Socket = await shim.attach({ ...all, framed: false, detachKeys: new Uint8Array() });
  const resize = (): void => {
    shim.resize(stdout.rows, stdout.columns).catch(() => undefined);
  };
  resize();
  stdout.on('resize', resize);
  stdin.setRawMode(true);
  stdin.pipe(socket);
  socket.pipe(stdout, { end: false });
  return {
    ended: new Promise((resolve) => socket.once('end', resolve).once('close', resolve)),
    restore: () => {
      stdout.off('resize', resize);
      stdin.unpipe(socket);
      stdin.setRawMode(false);
      stdin.pause();
      socket.destroy();
    },
  };
}
