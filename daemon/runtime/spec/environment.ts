/** The environment of the first process. */

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What the environment is made from. */
export interface EnvironmentRequest {
  /** `Config.Env`: `NAME=value` sets, a bare `NAME` takes away. */
  readonly env: readonly string[];
  readonly hostname: string;
  readonly tty: boolean;
  readonly home: string;
}

/** PATH, HOSTNAME, TERM (with a TTY) and HOME, overlaid by what the container's config says. */
export function environment(request: EnvironmentRequest): string[] {
  const variables = new Map<string, string>([['PATH', DEFAULT_PATH]]);
  if (request.hostname !== '') variables.set('HOSTNAME', request.hostname);
  if (request.tty) variables.set('TERM', 'xterm');
  for (const entry of request.env) {
    const at = entry.indexOf('=');
    if (at < 0) variables.delete(entry);
    else variables.set(entry.slice(0, at), entry.slice(at + 1));
  }
  if ((variables.get('HOME') ?? '') === '') variables.set('HOME', request.home);
  return [...variables].map(([name, value]) => `${name}=${value}`);
}

/** The value of one variable of an environment. */
export function variable(env: readonly string[], name: string): string | undefined {
  return env.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
}
