import type { HealthConfig } from '../../api-spec/container-config.js';
import type { ContainerCreateBody } from '../../api-spec/container.js';
import { CommandError, PlainError, UsageError } from '../errors.js';
import type { GivenFlags } from '../flags.js';
import { planHost } from './host.js';
import { planVolumes } from './mounts.js';
import { planNetworks } from './network.js';
import { environmentOf, labelsOf } from './pairs.js';
import { planPorts } from './ports.js';
import { planResources } from './resources.js';

/** Whether the program stays with the container, and how wide its terminal is. */
export interface Attendance {
  readonly isDetached: boolean;
  /** Rows and columns of our terminal, if there is one. */
  readonly consoleSize: readonly [number, number] | undefined;
}

/** The body of ContainerCreate from a command line. Throws CommandError in Docker's words. */
export function planContainer(
  flags: GivenFlags,
  [image = '', ...command]: readonly string[],
  { isDetached, consoleSize }: Attendance,
): ContainerCreateBody {
  const attached = attachments(flags, isDetached);
  const isInteractive = flags.switch('interactive');
  const ports = planPorts(flags.list('publish'), flags.list('expose'));
  const volumes = planVolumes(flags.list('volume'));
  const networks = planNetworks(flags);
  const health = planHealth(flags);
  const texts = textsOf(flags);
  return {
    ...texts,
    AttachStdin: attached.stdin,
    AttachStdout: attached.stdout,
    AttachStderr: attached.stderr,
    Tty: flags.switch('tty'),
    OpenStdin: isInteractive,
    StdinOnce: isInteractive && attached.stdin && !isDetached,
    Env: environmentOf(flags.list('env-file'), flags.list('env')),
    ...(command.length === 0 ? {} : { Cmd: command }),
    Image: image,
    ...entrypointOf(flags),
    ExposedPorts: ports.exposed,
    Volumes: volumes.anonymous,
    Labels: labelsOf(flags.list('label-file'), flags.list('label')),
    ...(flags.isSet('stop-timeout') ? { StopTimeout: flags.number('stop-timeout') } : {}),
    ...(health === undefined ? {} : { Healthcheck: health }),
    HostConfig: {
      ...planResources(flags),
      ...planHost(flags),
      ...(volumes.binds.length === 0 ? {} : { Binds: volumes.binds }),
      PortBindings: ports.bindings,
      NetworkMode: networks.mode,
      ...(consoleSize === undefined ? {} : { ConsoleSize: [...consoleSize] }),
    },
    ...(Object.keys(networks.endpoints).length === 0
      ? {}
      : { NetworkingConfig: { EndpointsConfig: networks.endpoints } }),
  };
}

function textsOf(flags: GivenFlags): ContainerCreateBody {
  const names = {
    Hostname: 'hostname',
    Domainname: 'domainname',
    User: 'user',
    WorkingDir: 'workdir',
    StopSignal: 'stop-signal',
  } as const;
  const given = Object.entries(names).filter(([, name]) => flags.text(name) !== '');
  return Object.fromEntries(given.map(([field, name]) => [field, flags.text(name)]));
}

/** An empty `--entrypoint` takes the image's away: the API wants one empty word for that. */
function entrypointOf(flags: GivenFlags): ContainerCreateBody {
  return flags.isSet('entrypoint') ? { Entrypoint: [flags.text('entrypoint')] } : {};
}

interface Attached {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** Which streams to join: those of `-a`, else both outputs, and input with `-i`. */
export function attachments(flags: GivenFlags, isDetached: boolean): Attached {
  const named = flags.list('attach').map((name) => name.toLowerCase());
  const wrong = named.find((name) => !['stdin', 'stdout', 'stderr'].includes(name));
  if (wrong !== undefined) {
    throw new UsageError(
      `invalid argument "${wrong}" for "-a, --attach" flag: valid streams are STDIN, STDOUT ` +
        'and STDERR',
    );
  }
  if (isDetached && named.length > 0) {
    throw new PlainError('conflicting options: cannot specify both --attach and --detach');
  }
  if (isDetached) return { stdin: false, stdout: false, stderr: false };
  if (named.length === 0) {
    return { stdin: flags.switch('interactive'), stdout: true, stderr: true };
  }
  return {
    stdin: named.includes('stdin'),
    stdout: named.includes('stdout'),
    stderr: named.includes('stderr'),
  };
}

function planHealth(flags: GivenFlags): HealthConfig | undefined {
  const numbers = {
    Interval: 'health-interval',
    Timeout: 'health-timeout',
    StartPeriod: 'health-start-period',
    StartInterval: 'health-start-interval',
    Retries: 'health-retries',
  } as const;
  const given = Object.entries(numbers).filter(([, name]) => flags.isSet(name));
  const command = flags.text('health-cmd');
  if (flags.switch('no-healthcheck')) {
    if (given.length > 0 || command !== '') {
      throw new CommandError('--no-healthcheck conflicts with --health-* options', 125);
    }
    return { Test: ['NONE'] };
  }
  if (given.length === 0 && command === '') return undefined;
  return {
    ...(command === '' ? {} : { Test: ['CMD-SHELL', command] }),
    ...Object.fromEntries(given.map(([field, name]) => [field, flags.number(name)])),
  };
}
