import type { ContainerInspectResponse } from '../../api-spec/container.js';
import { anyNumber, forEachOperand, type Call, type Command } from '../command.js';
import { CommandError, ExitStatus } from '../errors.js';
import { flag } from '../flags.js';
import { parseDetachKeys } from '../terminal/detach-keys.js';
import { joinStreams } from '../terminal/join.js';
import { proxySignals } from '../terminal/signals.js';
import { checkTerminal, followSize } from '../terminal/terminal.js';
import { beginWait } from './wait.js';

/** `start`: starts stopped containers; with `-a` or `-i` joins the one that is named. */
export const startCommand: Command = {
  use: 'start [OPTIONS] CONTAINER [CONTAINER...]',
  about: 'Start stopped containers',
  flags: [
    flag('switch', 'attach', 'Join its outputs and pass signals on', { short: 'a' }),
    flag('text', 'detach-keys', 'Keys that detach from it'),
    flag('switch', 'interactive', 'Join its input too', { short: 'i' }),
  ],
  operands: [1, anyNumber],
  run: async (call) => {
    if (call.flags.switch('attach') || call.flags.switch('interactive')) return startJoined(call);
    return startEach(call);
  },
};

async function startEach(call: Call): Promise<void> {
  try {
    await forEachOperand(call, async (name) => {
      await call.engine.text('POST', `/containers/${encodeURIComponent(name)}/start`);
      return name;
    });
  } catch (problem) {
    if (!(problem instanceof CommandError)) throw problem;
    const names = call.operands.join(', ');
    throw new CommandError(`${problem.message}\nError: failed to start containers: ${names}`, 1, { cause: problem });
  }
}

async function startJoined(call: Call): Promise<void> {
  const { engine, flags, operands } = call;
  if (operands.length > 1) {
    throw new CommandError('you cannot start and attach multiple containers at once');
  }
  const path = `/containers/${encodeURIComponent(operands[0] ?? '')}`;
  const found = await engine.json<ContainerInspectResponse>('GET', `${path}/json`);
  const tty = found.Config.Tty === true;
  const stdin = flags.switch('interactive') && found.Config.OpenStdin === true;
  checkTerminal(tty, stdin);
  const stopProxy = tty ? undefined : proxySignals(engine, found.Id);
  const hijacked = await engine.hijack(`${path}/attach`, {
    query: { stream: 1, stdin: stdin ? 1 : undefined, stdout: 1, stderr: 1 },
  });
  const isRemoved = found.HostConfig.AutoRemove === true;
  const exitCode = await beginWait(engine, found.Id, isRemoved ? 'removed' : 'next-exit');
  try {
    await engine.text('POST', `${path}/start`);
  } catch (problem) {
    hijacked.socket.destroy();
    throw problem;
  }
  const stopSize = tty ? followSize(engine, path) : undefined;
  const detachKeys = tty ? parseDetachKeys(flags.text('detach-keys')) : undefined;
  try {
    const framed = { ...hijacked, isMultiplexed: !tty };
    if ((await joinStreams(framed, { stdin, tty, detachKeys })) === 'detached') return;
    const status = await exitCode();
    if (status !== 0) throw new ExitStatus(status);
  } finally {
    stopSize?.();
    stopProxy?.();
  }
}
