import type { ContainerInspectResponse } from '../../api-spec/container.js';
import { anyNumber, forEachOperand, type Call, type Command } from '../command.js';
import { CommandError, ExitStatus } from '../errors.js';
import { flag } from '../flags.js';
import { checkTerminal } from '../terminal/terminal.js';
import { attachQuery, attend } from './attend.js';
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
    throw new CommandError(
      `${problem.message}\nError: failed to start containers: ${names}`,
      1,
      { cause: problem },
    );
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
  const detachKeys = flags.text('detach-keys');
  const query = attachQuery({ stdin, stdout: true, stderr: true }, detachKeys);
  const hijacked = await engine.hijack(`${path}/attach`, { query });
  const isRemoved = found.HostConfig.AutoRemove === true;
  const exitCode = await beginWait(engine, found.Id, isRemoved ? 'removed' : 'next-exit');
  const attended = { engine, id: found.Id, hijacked, tty, stdin, detachKeys };
  const outcome = await attend({ ...attended, proxiesSignals: true }, () =>
    engine.text('POST', `${path}/start`),
  );
  const status = outcome === 'detached' ? 0 : await exitCode();
  if (status !== 0) throw new ExitStatus(status);
}
