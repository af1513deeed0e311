/** Where a daemon keeps its things unless it is told: root's, or an ordinary user's. Pure. */
import { join } from 'node:path';
import { ConfigError } from './config-error.js';

/** What is somewhere else than for root, unless it is said. */
export interface DefaultPlaces {
  readonly configFile: string;
  readonly host: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly pidfile: string;
}

/** Root's. */
export const rootPlaces: DefaultPlaces = {
  configFile: '/etc/tsdocker/daemon.json',
  host: 'unix:///var/run/tsdocker.sock',
  dataRoot: '/var/lib/tsdocker',
  execRoot: '/run/tsdocker',
  pidfile: '/var/run/tsdocker.pid',
};

type Environment = Readonly<Record<string, string | undefined>>;

/** An ordinary user's. Throws `ConfigError` where the session has no folder for what runs. */
export function userPlaces(environment: Environment): DefaultPlaces {
  const { HOME = '', XDG_RUNTIME_DIR: run = '' } = environment;
  if (HOME === '') throw new ConfigError('--rootless needs HOME to be set');
  if (run === '') {
    throw new ConfigError('--rootless needs XDG_RUNTIME_DIR to be set, to a folder of this user ' +
      'on a tmpfs: log in by PAM (not by su or sudo), or set it to /run/user/UID');
  }
  const folder = (name: string, usual: string): string => {
    const given = environment[name] ?? '';
    return join(given === '' ? join(HOME, usual) : given, 'tsdocker');
  };
  return {
    configFile: join(folder('XDG_CONFIG_HOME', '.config'), 'daemon.json'),
    host: `unix://${join(run, 'tsdocker.sock')}`,
    dataRoot: folder('XDG_DATA_HOME', '.local/share'),
    execRoot: join(run, 'tsdocker'),
    pidfile: join(run, 'tsdocker.pid'),
  };
}
