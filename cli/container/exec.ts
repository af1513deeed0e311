import type {
  ExecCreateBody,
  ExecInspectResponse,
  IDResponse,
} from '../../api-spec/container-verbs.js';
import { anyNumber, type Call, type Command } from '../command.js';
import { environmentOf } from '../create-options/pairs.js';
import { EngineError } from '../engine/engine.js';
import { CommandError, ExitStatus } from '../errors.js';
import { flag } from '../flags.js';
import { parseDetachKeys } from '../terminal/detach-keys.js';
import { joinStreams } from '../terminal/join.js';
import { checkTerminal, consoleSize, followSize } from '../terminal/terminal.js';
import { startStatus } from './failure.js';

/** `exec`: runs one more command in a running container and ends with its exit code. */
export const execCommand: Command = {
  use: 'exec [OPTIONS] CONTAINER COMMAND [ARG...]',
  about: 'Run a command in a running container',
  flags: [
    flag('switch', 'detach', 'Leave it running', { short: 'd' }),
    flag('text', 'detach-keys', 'Keys that detach from it'),
    flag('list', 'env', 'Environment variable (name or name=value)', { short: 'e' }),
    flag('list', 'env-file', 'File of environment variables'),
    flag('switch', 'interactive', 'Keep standard input open', { short: 'i' }),
    flag('switch', 'privileged', 'Nearly all rights of the host'),
    flag('switch', 'tty', 'Give it a terminal', { short: 't' }),
    flag('text', 'user', 'User and group (name|uid[:group|gid])', { short: 'u' }),
    flag('text', 'workdir', 'Working directory', { short: 'w' }),
  ],
  operands: [2, anyNumber],
  interspersed: false,
  run: async (call) => {
    try {
      await exec(call);
    } catch (problem) {
      if (!(problem instanceof EngineError)) throw problem;
      // Who does not wait for it has no status of it.
      const status = call.flags.switch('detach') ? 1 : startStatus(problem.reason);
      throw new CommandError(problem.message, status === 125 ? 1 : status, { cause: problem });
    }
  },
};

async function exec(call: Call): Promise<void> {
  const { engine, flags, operands } = call;
  const [container = '', ...words] = operands;
  const path = `/containers/${encodeURIComponent(container)}`;
  const body = planExec(call, words);
  checkTerminal(body.Tty === true, body.AttachStdin === true);
  // Looked at first, so that a name that is wrong is reported as that.
  await engine.text('GET', `${path}/json`);
  const { Id } = await engine.json<IDResponse>('POST', `${path}/exec`, { body });
  const size = consoleSize();
  const start = {
    Detach: flags.switch('detach'),
    Tty: body.Tty === true,
    ...(size === undefined || body.Tty !== true ? {} : { ConsoleSize: [...size] }),
  };
  if (start.Detach) {
    await engine.text('POST', `/exec/${Id}/start`, { body: start });
    return;
  }
  const hijacked = await engine.hijack(`/exec/${Id}/start`, { body: start });
  const tty = start.Tty;
  const stopSize = tty ? followSize(engine, `/exec/${Id}`) : undefined;
  const detachKeys = tty ? parseDetachKeys(flags.text('detach-keys')) : undefined;
  const plan = { stdin: body.AttachStdin === true, tty, detachKeys };
  const outcome = await joinStreams({ ...hijacked, isMultiplexed: !tty }, plan);
  stopSize?.();
  if (outcome === 'detached') throw new CommandError('exec attach failed: read escape sequence');
  const { ExitCode } = await engine.json<ExecInspectResponse>('GET', `/exec/${Id}/json`);
  if (ExitCode !== null && ExitCode !== 0) throw new ExitStatus(ExitCode);
}

function planExec({ flags }: Call, words: readonly string[]): ExecCreateBody {
  const isDetached = flags.switch('detach');
  const env = environmentOf(flags.list('env-file'), flags.list('env'));
  return {
    User: flags.text('user'),
    Privileged: flags.switch('privileged'),
    Tty: flags.switch('tty'),
    AttachStdin: flags.switch('interactive') && !isDetached,
    AttachStdout: !isDetached,
    AttachStderr: !isDetached,
    Detach: isDetached,
    DetachKeys: flags.text('detach-keys'),
    ...(env.length === 0 ? {} : { Env: env }),
    WorkingDir: flags.text('workdir'),
    Cmd: words,
  };
}
