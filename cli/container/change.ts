import { anyNumber, forEachOperand, type Call, type Command } from '../command.js';
import { EngineError } from '../engine/engine.js';
import { CommandError, messageOf } from '../errors.js';
import { flag } from '../flags.js';
import { beginWait } from './wait.js';

const stopFlags = [
  flag('text', 'signal', 'Signal to send', { short: 's' }),
  flag('integer', 'time', 'Seconds to wait before SIGKILL', { hidden: true }),
  flag('integer', 'timeout', 'Seconds to wait before SIGKILL', { short: 't' }),
];

/** `stop`: the stop signal, and SIGKILL when that is not enough. */
export const stopCommand = verb('stop', 'Stop containers', stopFlags, stopQuery);
/** `restart`: stop, then start. */
export const restartCommand = verb('restart', 'Stop and start containers', stopFlags, stopQuery);
/** `pause`: freezes all processes. */
export const pauseCommand = verb('pause', 'Freeze containers', []);
/** `unpause`: thaws them. */
export const unpauseCommand = verb('unpause', 'Thaw containers', []);
/** `kill`: one signal, KILL unless told otherwise. */
export const killCommand = verb(
  'kill',
  'Send a signal to containers',
  [flag('text', 'signal', 'Signal to send', { short: 's' })],
  ({ flags }) => ({ signal: flags.text('signal') || undefined }),
);

type Query = Readonly<Record<string, string | number | undefined>>;

function stopQuery({ flags }: Call): Query {
  const seconds = flags.isSet('timeout') ? 'timeout' : 'time';
  return {
    signal: flags.text('signal') || undefined,
    t: flags.isSet(seconds) ? flags.number(seconds) : undefined,
  };
}

function verb(
  name: string,
  about: string,
  flags: Command['flags'],
  queryOf: (call: Call) => Query = () => ({}),
): Command {
  return {
    use: `${name} ${flags.length === 0 ? '' : '[OPTIONS] '}CONTAINER [CONTAINER...]`,
    about,
    flags,
    operands: [1, anyNumber],
    run: (call) =>
      forEachOperand(call, async (container) => {
        const path = `/containers/${encodeURIComponent(container)}/${name}`;
        await call.engine.text('POST', path, { query: queryOf(call) });
        return container;
      }),
  };
}

/** `rm`: removes stopped containers; running ones too with `-f`. */
export const removeCommand: Command = {
  use: 'rm [OPTIONS] CONTAINER [CONTAINER...]',
  about: 'Remove containers',
  flags: [
    flag('switch', 'force', 'Kill it first if it runs', { short: 'f' }),
    flag('switch', 'link', 'Remove the link of this name', { short: 'l' }),
    flag('switch', 'volumes', 'Remove its anonymous volumes too', { short: 'v' }),
  ],
  operands: [1, anyNumber],
  run: (call) =>
    forEachOperand(call, async (given) => {
      const container = given.replace(/^\/+/, '');
      if (container === '') throw new CommandError('Container name cannot be empty');
      return (await remove(call, container)) ? given : undefined;
    }),
};

/** By force, one that is not there is told of, and is no failure. */
async function remove({ engine, flags, complain }: Call, container: string): Promise<boolean> {
  const on = (name: string): number | undefined => (flags.switch(name) ? 1 : undefined);
  try {
    await engine.text('DELETE', `/containers/${encodeURIComponent(container)}`, {
      query: { force: on('force'), link: on('link'), v: on('volumes') },
    });
    return true;
  } catch (problem) {
    const isGone = problem instanceof EngineError && problem.status === 404;
    if (!isGone || !flags.switch('force')) throw problem;
    complain(`${problem.message}\n`);
    return false;
  }
}

/** `rename`: another name for a container, running or not. */
export const renameCommand: Command = {
  use: 'rename CONTAINER NEW_NAME',
  about: 'Give a container another name',
  flags: [],
  operands: [2, 2],
  run: async ({ engine, operands: [from = '', to = ''] }) => {
    if (from.trim() === '' || to.trim() === '') {
      throw new CommandError('Error: Neither old nor new names may be empty');
    }
    try {
      const path = `/containers/${encodeURIComponent(from)}/rename`;
      await engine.text('POST', path, { query: { name: to } });
    } catch (problem) {
      const text = `${messageOf(problem)}\nError: failed to rename container named ${from}`;
      throw new CommandError(text, 1, { cause: problem });
    }
  },
};

/** `wait`: prints the exit code of each container as it ends. */
export const waitCommand: Command = {
  use: 'wait CONTAINER [CONTAINER...]',
  about: 'Wait until containers stop and print their exit codes',
  flags: [],
  operands: [1, anyNumber],
  run: (call) =>
    forEachOperand(call, async (container) => {
      const exitCode = await beginWait(call.engine, encodeURIComponent(container), 'not-running');
      return String(await exitCode());
    }),
};
