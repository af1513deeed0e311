/** Whole lives: how containers end, by whom, and what is told of it afterwards. */
import type { Case, Request } from '../request.js';

const at = '/containers/tsdiff-x';
const obeys = ['sh', '-c', 'trap "exit 7" TERM; while :; do sleep 0.1; done'];
/** A shell runs its trap once what it waits for has ended. */
const obeysLater = ['sh', '-c', 'trap "exit 7" TERM; sleep 60'];
const ignores = ['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done'];
const told: Request = { method: 'GET', path: `${at}/json`, depth: 'values' };
const waited: Request = { method: 'POST', path: `${at}/wait`, depth: 'values' };

type Body = Readonly<Record<string, unknown>>;

/** Made and started, then what `acts` say, then what wait and inspect tell. */
function life(name: string, body: Body, ...acts: readonly string[]): Case {
  return {
    name: `a life: ${name}`,
    requests: [
      { method: 'POST', path: '/containers/create?name=tsdiff-x',
        body: { Image: 'tsdiff:1', ...body } },
      { method: 'POST', path: `${at}/start` },
      // A shell has set its traps by then.
      { method: 'GET', path: `${at}/logs?stdout=1&follow=1`, readMs: 300 },
      ...acts.map((act): Request => ({ method: 'POST', path: at + act, depth: 'values' })),
      waited, told,
    ],
  };
}

const sleeps = ['sleep', '60'];
const init = { HostConfig: { Init: true } };

const ends: readonly Case[] = [
  life('a stop that is obeyed', { Cmd: obeys }, '/stop?t=5'),
  life('a stop that waits for ever, and is obeyed', { Cmd: obeys }, '/stop?t=-1'),
  life('a stop that is not obeyed', { Cmd: ignores }, '/stop?t=1'),
  life('a stop that waits for nothing', { Cmd: obeysLater }, '/stop?t=0'),
  life('a stop by the container\'s own time', { Cmd: ignores, StopTimeout: 1 }, '/stop'),
  life('a stop by the container\'s own signal', { Cmd: obeys, StopSignal: 'KILL' }, '/stop?t=5'),
  life('a stop by another signal', { Cmd: obeys, StopSignal: 'USR1' }, '/stop?t=5&signal=TERM'),
  life('a stop of the first process, without a handler', { Cmd: sleeps }, '/stop?t=1'),
  life('a stop of one under an init', { Cmd: sleeps, ...init }, '/stop?t=5'),
  life('a stop of one under an init that is not obeyed', { Cmd: ignores, ...init }, '/stop?t=1'),
  life('a kill of one under an init', { Cmd: sleeps, ...init }, '/kill?signal=INT'),
  life('a code of its own under an init', { Cmd: ['sh', '-c', 'exit 9'], ...init }),
  life('a code of its own', { Cmd: ['sh', '-c', 'exit 9'] }),
  life('a signal of its own', { Cmd: ['sh', '-c', 'sh -c "kill -9 \\$\\$"; exit $?'] }),
  life('two stops', { Cmd: obeys }, '/stop?t=5', '/stop?t=5'),
  life('a kill, and another', { Cmd: obeys }, '/kill', '/wait', '/kill'),
  life('a restart', { Cmd: obeys }, '/restart?t=5', '/stop?t=5'),
  life('a stop while it is paused', { Cmd: obeys }, '/pause', '/stop?t=1'),
  life('a stop of one that would be started again',
    { Cmd: obeys, HostConfig: { RestartPolicy: { Name: 'always' } } }, '/stop?t=5'),
  life('a command that is a folder', { Cmd: ['/etc'] }),
  life('a command that is no program', { Cmd: ['/etc/passwd'] }),
  life('a bind of a file on a folder', { Cmd: sleeps,
    HostConfig: { Binds: ['/etc/hostname:/tmp'] } }),
];

const renamed: Case = {
  name: 'a life: a rename while others find it by name',
  requests: [
    { method: 'POST', path: '/containers/create?name=tsdiff-x', body: { Image: 'tsdiff:1',
      Cmd: obeys, HostConfig: { NetworkMode: 'tsdiff-net' },
      NetworkingConfig: { EndpointsConfig: { 'tsdiff-net': { Aliases: ['alias'] } } } } },
    { method: 'POST', path: `${at}/start` },
    told,
    { method: 'POST', path: `${at}/rename?name=tsdiff-y` },
    { ...told, path: '/containers/tsdiff-y/json' },
  ],
};

const unplugged: Case = {
  name: 'a life: off its only network before it starts',
  requests: [
    { method: 'POST', path: '/containers/create?name=tsdiff-x', body: { Image: 'tsdiff:1',
      Cmd: obeys } },
    { method: 'POST', path: '/networks/bridge/disconnect', body: { Container: 'tsdiff-x' } },
    { method: 'POST', path: `${at}/start` },
    told,
  ],
};

/** The cases of this file. */
export const lifeCases: readonly Case[] = [...ends, renamed, unplugged];
