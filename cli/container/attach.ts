import type { ContainerInspectResponse } from '../../api-spec/container.js';
import type { Call, Command } from '../command.js';
import { CommandError, ExitStatus } from '../errors.js';
import { flag } from '../flags.js';
import { checkTerminal } from '../terminal/terminal.js';
import { attachQuery, attend } from './attend.js';
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
  checkState(found);
  const tty = found.Config.Tty === true;
  const stdin = found.Config.OpenStdin === true && !flags.switch('no-stdin');
  checkTerminal(tty, stdin);
  const detachKeys = flags.text('detach-keys');
  const exitCode = await beginWait(engine, found.Id, 'not-running');
  const query = attachQuery({ stdin, stdout: true, stderr: true }, detachKeys);
  const hijacked = await engine.hijack(`${path}/attach`, { query });
  const proxiesSignals = flags.switch('sig-proxy');
  const attended = { engine, id: found.Id, hijacked, tty, stdin, detachKeys, proxiesSignals };
  if ((await attend(attended, async () => undefined)) === 'detached') {
    call.complain('read escape sequence\n');
    return;
  }
  const status = await exitCode();
  if (status !== 0) throw new ExitStatus(status);
}

function checkState({ State }: ContainerInspectResponse): void {
  const cannot = (state: string, first: string): CommandError =>
    new CommandError(`You cannot attach to a ${state} container, ${first}`);
  if (!State.Running) throw cannot('stopped', 'start it first');
  if (State.Paused) throw cannot('paused', 'unpause it first');
  if (State.Restarting) throw cannot('restarting', 'wait until it is running');
}
