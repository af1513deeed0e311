import type { ContainerInspectResponse } from '../../api-spec/container.js';
import type { Call, Command } from '../command.js';
import { CommandError, ExitStatus } from '../errors.js';
import { flag } from '../flags.js';
import { parseDetachKeys } from '../terminal/detach-keys.js';
import { joinStreams } from '../terminal/join.js';
import { proxySignals } from '../terminal/signals.js';
import { checkTerminal, followSize } from '../terminal/terminal.js';
import { beginWait } from './wait.js';

/** `attach`: joins a running container and ends with its exit code. */
export const attachCommand: Command = {
  use: 'attach [OPTIONS] CONTAINER',
  about: 'Join the streams of a running container',
  flags: [
    flag('text', 'detach-keys', 'Keys that detach from it'),
    flag('switch', 'no-stdin', 'Do not join standard input'),
    flag('switch', 'sig-proxy', 'Pass signals on to it', { otherwise: 'true' }),
  ],
  operands: [1, 1],
  run: attach,
};

async function attach(call: Call): Promise<void> {
  const { engine, flags, operands } = call;
  const path = `/containers/${encodeURIComponent(operands[0] ?? '')}`;
  const found = await engine.json<ContainerInspectResponse>('GET', `${path}/json`);
  if (!found.State.Running) throw new CommandError('You cannot attach to a stopped container, start it first');
  if (found.State.Paused) throw new CommandError('You cannot attach to a paused container, unpause it first');
  if (found.State.Restarting) {
    throw new CommandError('You cannot attach to a restarting container, wait until it is running');
  }
  const tty = found.Config.Tty === true;
  const stdin = found.Config.OpenStdin === true && !flags.switch('no-stdin');
  checkTerminal(tty, stdin);
  const exitCode = await beginWait(engine, found.Id, 'not-running');
  const stopProxy = flags.switch('sig-proxy') && !tty ? proxySignals(engine, found.Id) : undefined;
  const hijacked = await engine.hijack(`${path}/attach`, {
    query: {
      stream: 1,
      stdin: stdin ? 1 : undefined,
      stdout: 1,
      stderr: 1,
      detachKeys: flags.text('detach-keys') || undefined,
    },
  });
  const stopSize = tty ? followSize(engine, path) : undefined;
  const detachKeys = tty ? parseDetachKeys(flags.text('detach-keys')) : undefined;
  try {
    const framed = { ...hijacked, isMultiplexed: !tty };
    if ((await joinStreams(framed, { stdin, tty, detachKeys })) === 'detached') {
      call.complain('read escape sequence\n');
      return;
    }
    const status = await exitCode();
    if (status !== 0) throw new ExitStatus(status);
  } finally {
    stopSize?.();
    stopProxy?.();
  }
}
