/** The host config with everything said that Docker says for those who say nothing: pure. */
import type { HostConfig, LogConfig, RestartPolicy } from '../../api-spec/index.js';
import type { ContainerDefaults } from './context.js';

/** What was given, completed; an empty word is as good as none. */
export function completeHostConfig(defaults: ContainerDefaults, given: HostConfig): HostConfig {
  const privileged = given.Privileged === true;
  return {
    ...given,
    NetworkMode: networkMode(given.NetworkMode),
    IpcMode: word(given.IpcMode, 'private'),
    CgroupnsMode: word(given.CgroupnsMode, privileged ? 'host' : defaults.cgroupnsMode),
    Runtime: word(given.Runtime, defaults.runtime),
    ShmSize: number(given.ShmSize, defaults.shmSizeBytes),
    // Docker gives as much swap as memory to those who limit memory alone.
    MemorySwap: number(given.MemorySwap, (given.Memory ?? 0) * 2),
    LogConfig: logConfig(given.LogConfig, defaults),
    RestartPolicy: restartPolicy(given.RestartPolicy),
    ...(privileged ? {} : protectedPaths(given, defaults)),
    ...(given.Init === undefined && defaults.init ? { Init: true } : {}),
  };
}

function word(given: string | undefined, otherwise: string): string {
  return given === undefined || given === '' ? otherwise : given;
}

function number(given: number | undefined, otherwise: number): number {
  return given === undefined || given === 0 ? otherwise : given;
}

function networkMode(given: string | undefined): string {
  return given === undefined || given === '' || given === 'default' ? 'bridge' : given;
}

/** The daemon's options hold for its own driver only. */
function logConfig(given: LogConfig | undefined, defaults: ContainerDefaults): LogConfig {
  const type = word(given?.Type, defaults.logDriver);
  const inherited = type === defaults.logDriver ? defaults.logOptions : {};
  return { Type: type, Config: { ...inherited, ...given?.Config } };
}

function restartPolicy(given: RestartPolicy | undefined): RestartPolicy {
  return { Name: word(given?.Name, 'no'), MaximumRetryCount: given?.MaximumRetryCount ?? 0 };
}

/** A list that is given, even an empty one, replaces the default. */
function protectedPaths(
  { MaskedPaths, ReadonlyPaths }: HostConfig,
  { maskedPaths, readonlyPaths }: ContainerDefaults,
): Pick<HostConfig, 'MaskedPaths' | 'ReadonlyPaths'> {
  return {
    MaskedPaths: MaskedPaths ?? maskedPaths,
    ReadonlyPaths: ReadonlyPaths ?? readonlyPaths,
  };
}
