import type { ContainerCreateBody } from '../../api-spec/container.js';
import { anyNumber, type Call, type Command } from '../command.js';
import { containerFlags } from '../create-options/flags.js';
import { planContainer } from '../create-options/plan.js';
import type { Hijacked } from '../engine/engine.js';
import { CommandError, ExitStatus } from '../errors.js';
import { flag } from '../flags.js';
import { parseDetachKeys } from '../terminal/detach-keys.js';
import { joinStreams } from '../terminal/join.js';
import { proxySignals } from '../terminal/signals.js';
import { checkTerminal, consoleSize, followSize } from '../terminal/terminal.js';
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
  const status = await attend(call, id, body);
  if (status !== 0) throw new ExitStatus(status);
}

/** Joins and waits before the start, so that neither the first byte nor a quick end is missed. */
async function attend(call: Call, id: string, body: ContainerCreateBody): Promise<number> {
  const { engine, flags } = call;
  const isTty = body.Tty === true;
  const stopProxy = flags.switch('sig-proxy') && !isTty ? proxySignals(engine, id) : undefined;
  const joins = body.AttachStdin === true || body.AttachStdout === true || body.AttachStderr === true;
  const hijacked = joins ? await attach(call, id, body) : undefined;
  const isRemoved = body.HostConfig?.AutoRemove === true;
  const exitCode = await beginWait(engine, id, isRemoved ? 'removed' : 'next-exit');
  const detachKeys = isTty ? parseDetachKeys(flags.text('detach-keys')) : undefined;
  const plan = { stdin: body.AttachStdin === true, tty: isTty, detachKeys };
  try {
    await engine.text('POST', `/containers/${id}/start`);
  } catch (problem) {
    hijacked?.socket.destroy();
    stopProxy?.();
    if (isRemoved) await exitCode().catch(() => 0);
    throw problem;
  }
  const stopSize = isTty ? followSize(engine, `/containers/${id}`) : undefined;
  try {
    if (hijacked === undefined) call.print(`${id}\n`);
    const outcome = hijacked === undefined ? 'ended' : await joinStreams(hijacked, plan);
    if (outcome === 'detached') return 0;
    return await exitCode();
  } finally {
    stopSize?.();
    stopProxy?.();
  }
}

async function attach(call: Call, id: string, body: ContainerCreateBody): Promise<Hijacked> {
  const hijacked = await call.engine.hijack(`/containers/${id}/attach`, {
    query: {
      stream: 1,
      stdin: body.AttachStdin === true ? 1 : undefined,
      stdout: body.AttachStdout === true ? 1 : undefined,
      stderr: body.AttachStderr === true ? 1 : undefined,
      detachKeys: call.flags.text('detach-keys') || undefined,
    },
  });
  hijacked.socket.on('error', (problem: Error) => {
    call.complain(`${new CommandError(problem.message).message}\n`);
  });
  // An engine of an old API does not say whether it frames; without a terminal it always does.
  return { ...hijacked, isMultiplexed: body.Tty !== true };
}
