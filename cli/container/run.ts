import type { ContainerCreateBody } from '../../api-spec/container.js';
import { anyNumber, type Call, type Command } from '../command.js';
import { containerFlags } from '../create-options/flags.js';
import { planContainer } from '../create-options/plan.js';
import { ExitStatus } from '../errors.js';
import { flag } from '../flags.js';
import { parseDetachKeys } from '../terminal/detach-keys.js';
import { checkTerminal, consoleSize } from '../terminal/terminal.js';
import { attachQuery, attend } from './attend.js';
import { withStartStatus } from './failure.js';
import { makeContainer } from './make.js';
import { beginWait } from './wait.js';

/** `run`: makes a container, joins its streams, starts it, ends with its exit code. */
export const runCommand: Command = {
  use: 'run [OPTIONS] IMAGE [COMMAND] [ARG...]',
  about: 'Make a container from an image and start it',
  flags: [
    ...containerFlags,
    flag('switch', 'detach', 'Leave it running and print its id', { short: 'd' }),
    flag('text', 'detach-keys', 'Keys that detach from it'),
    flag('switch', 'sig-proxy', 'Pass signals on to it', { otherwise: 'true' }),
  ],
  operands: [1, anyNumber],
  interspersed: false,
  run: (call) => withStartStatus('run', () => run(call)),
};

async function run(call: Call): Promise<void> {
  const { flags, operands } = call;
  const isDetached = flags.switch('detach');
  parseDetachKeys(flags.text('detach-keys'));
  const body = planContainer(flags, operands, { isDetached, consoleSize: consoleSize() });
  checkTerminal(body.Tty === true && !isDetached, body.AttachStdin === true);
  const id = await makeContainer(call, body);
  if (isDetached) {
    await call.engine.text('POST', `/containers/${id}/start`);
    call.print(`${id}\n`);
    return;
  }
  const status = await follow(call, id, body);
  if (status !== 0) throw new ExitStatus(status);
}

/** Joins and waits before the start, so that neither the first byte nor a quick end is missed. */
async function follow(call: Call, id: string, body: ContainerCreateBody): Promise<number> {
  const { engine, flags } = call;
  const isRemoved = body.HostConfig?.AutoRemove === true;
  const wanted = {
    stdin: body.AttachStdin === true,
    stdout: body.AttachStdout === true,
    stderr: body.AttachStderr === true,
  };
  const detachKeys = flags.text('detach-keys');
  const query = attachQuery(wanted, detachKeys);
  const hijacked = await engine.hijack(`/containers/${id}/attach`, { query });
  const exitCode = await beginWait(engine, id, isRemoved ? 'removed' : 'next-exit');
  const begin = async (): Promise<void> => {
    try {
      await engine.text('POST', `/containers/${id}/start`);
    } catch (problem) {
      // It is gone when the program ends, as `--rm` promises; why it did not start is the news.
      if (isRemoved) await exitCode().catch(() => undefined);
      throw problem;
    }
  };
  const proxiesSignals = flags.switch('sig-proxy');
  const attended = { engine, id, hijacked, tty: body.Tty === true, stdin: wanted.stdin };
  const outcome = await attend({ ...attended, detachKeys, proxiesSignals }, begin);
  return outcome === 'detached' ? 0 : exitCode();
}
