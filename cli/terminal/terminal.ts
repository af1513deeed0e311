import { spawnSync } from 'node:child_process';
import type { ReadStream } from 'node:tty';
import type { Engine } from '../engine/engine.js';
import { PlainError } from '../errors.js';

const resizeAttempts = 10;
const resizePauseMs = 10;
const sttyTimeoutMs = 1000;

/** Our terminal's rows and columns; undefined where standard output is none. */
export function consoleSize(): readonly [number, number] | undefined {
  const { isTTY, rows, columns } = process.stdout;
  return isTTY && rows > 0 && columns > 0 ? [rows, columns] : undefined;
}

/** Puts the terminal into raw mode; the answer puts it back and may be called twice. */
export function makeRaw(): () => void {
  const input: ReadStream = process.stdin;
  if (!input.isTTY) return () => undefined;
  input.setRawMode(true);
  // Node's raw mode still turns each line feed into two characters; the far terminal did that
  // already. Without stty there is one carriage return too many, which shows nowhere.
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'], timeout: sttyTimeoutMs });
  const restore = (): void => {
    if (input.isRaw) input.setRawMode(false);
  };
  process.once('exit', restore);
  return restore;
}

/** Refuses a terminal for the container when ours is none. */
export function checkTerminal(wantsTty: boolean, wantsInput: boolean): void {
  if (wantsTty && wantsInput && !process.stdin.isTTY) {
    throw new PlainError('the input device is not a TTY');
  }
}

/**
 * Keeps the far terminal as large as ours until the answer is called. The first attempts are
 * repeated, because the far one may not exist at once after the start.
 */
export function followSize(engine: Engine, path: string): () => void {
  const send = async (): Promise<void> => {
    const size = consoleSize();
    if (size === undefined) return;
    await engine.text('POST', `${path}/resize`, { query: { h: size[0], w: size[1] } });
  };
  const first = async (): Promise<void> => {
    for (let attempt = 1; attempt <= resizeAttempts; attempt++) {
      const isDone = await send().then(
        () => true,
        () => false,
      );
      if (isDone) return;
      await new Promise((resolve) => setTimeout(resolve, resizePauseMs * attempt));
    }
  };
  // A size that cannot be set is not worth ending the command for: the output goes on.
  const onChange = (): void => void send().catch(() => undefined);
  void first();
  process.on('SIGWINCH', onChange);
  return () => void process.off('SIGWINCH', onChange);
}
