/** What a container's config takes over from its image's: pure, by Docker's rules. */
import { invalidParameter } from '../../api-spec/errors.js';
import type { ContainerConfig, HealthConfig } from '../../api-spec/index.js';

/** The user's config completed by the image's. `ApiError` 400 when nothing would run. */
export function mergeImageConfig(
  user: ContainerConfig,
  image: Partial<ContainerConfig>,
): ContainerConfig {
  const { entrypoint, cmd } = command(user, image);
  if (entrypoint.length === 0 && cmd.length === 0) throw invalidParameter('no command specified');
  const healthcheck = mergeHealth(user.Healthcheck, image.Healthcheck);
  return {
    ...pickSet(image, ['User', 'WorkingDir', 'StopSignal', 'StopTimeout']),
    ...pickSet(user, Object.keys(user) as (keyof ContainerConfig)[]),
    ExposedPorts: { ...image.ExposedPorts, ...user.ExposedPorts },
    Volumes: { ...image.Volumes, ...user.Volumes },
    Labels: { ...image.Labels, ...user.Labels },
    Env: mergeEnv(user.Env ?? [], image.Env ?? []),
    Entrypoint: entrypoint,
    Cmd: cmd,
    ...(healthcheck === undefined ? {} : { Healthcheck: healthcheck }),
  };
}

/** An entrypoint of the user's own drops the image's command too; `[""]` means none at all. */
function command(user: ContainerConfig, image: Partial<ContainerConfig>) {
  const ownEntrypoint = user.Entrypoint !== undefined && user.Entrypoint.length > 0;
  const cmd = user.Cmd?.length || ownEntrypoint ? (user.Cmd ?? []) : (image.Cmd ?? []);
  const entrypoint = user.Entrypoint ?? image.Entrypoint ?? [];
  const reset = entrypoint.length === 1 && entrypoint[0] === '';
  return { entrypoint: reset ? [] : entrypoint, cmd };
}

/** The fields of `source` that say something: an empty string inherits. */
function pickSet(
  source: Partial<ContainerConfig>,
  keys: readonly (keyof ContainerConfig)[],
): Partial<ContainerConfig> {
  return Object.fromEntries(
    keys
      .filter((key) => source[key] !== undefined && source[key] !== '')
      .map((key) => [key, source[key]]),
  );
}

/** The user's variables first; of the image's those that the user does not name. */
function mergeEnv(user: readonly string[], image: readonly string[]): readonly string[] {
  const named = new Set(user.map((entry) => entry.split('=', 1)[0]));
  return [...user, ...image.filter((entry) => !named.has(entry.split('=', 1)[0]))];
}

function mergeHealth(
  user: HealthConfig | undefined,
  image: HealthConfig | undefined,
): HealthConfig | undefined {
  if (user === undefined || image === undefined) return user ?? image;
  const said = Object.entries(user).filter(
    ([, value]) => value !== 0 && !(Array.isArray(value) && value.length === 0),
  );
  return { ...image, ...Object.fromEntries(said) };
}
