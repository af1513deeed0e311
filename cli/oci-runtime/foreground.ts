/** A process whose caller waits for it: signals, and a terminal of its own, go to the shim's. */
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import type { Launching, Shim } from '../../native/index.js';
import { OciError } from './oci-error.js';

/** 128 + 9: a shim that was killed cannot tell. */
const LOST = 137;

const forwarded = [
  'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGCONT',
] as const;

/** Opens the gate and waits for the end: the exit code. With `terminal`, ours is its own. */
export async function inForeground(
  launching: Launching,
  terminal: boolean,
  opened: () => Promise<void>,
): Promise<number> {
  const { shim } = launching;
  const attached = terminal ? await attach(shim) : undefined;
  const unforward = forwardSignals(shim);
  try {
    await launching.open();
    await opened();
    const exit = await shim.exited;
    await attached?.ended;
    if (!exit.lost) await shim.bye();
    return exit.lost ? LOST : exit.exitCode;
  } finally {
    unforward();
    attached?.restore();
  }
}

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
