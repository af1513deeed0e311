/** The logs service: where a container's log is, how large it may grow, and how it is read. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { notImplemented } from '../../api-spec/errors.js';
import type { LogConfig } from '../../api-spec/index.js';
import type { LogSettings } from '../../native/shim/monitor-settings.js';
import type { ContainerRecord } from '../containers/record.js';
import { logAttributes } from './attributes.js';
import { openLogFiles, closeLogFiles } from './log-files.js';
import { checkLogConfig, logBounds } from './options.js';
import type { ReadLogsOptions } from './read.js';
import { readLogs } from './read.js';

export type { LogEntry } from './entries.js';
export { logEntries } from './entries.js';
export type { ReadLogsOptions } from './read.js';

/** The log's part of a container's record. */
export type LoggedContainer = Pick<ContainerRecord, 'id' | 'config' | 'hostConfig'>;

/** What the logs service offers to the others. */
export interface Logs {
  /**
   * The log configuration of a new container: the daemon's default where it says nothing, and the
   * default's options where it names the same driver. Throws `ApiError` 400 in Docker's words.
   */
  configure(given: LogConfig | undefined): {
    readonly Type: string;
    readonly Config: Record<string, string>;
  };
  /** What the shim must write. */
  settings(container: LoggedContainer): LogSettings;
  /** Absolute path of the log that the shim writes; empty for a driver that keeps none. */
  path(container: LoggedContainer): string;
  /** Throws `ApiError` 501 when the driver keeps nothing that could be read. See `readLogs`. */
  read(container: LoggedContainer, options: ReadLogsOptions): AsyncGenerator<Buffer>;
  /** Removes the log and its rotated files. Idempotent. */
  remove(container: LoggedContainer): Promise<void>;
}

/** Where containers are, and what they log to when they do not say. */
export interface LogsOptions {
  /** Directory with one directory per container, named by its id. */
  readonly containersRoot: string;
  readonly logDriver: string;
  readonly logOptions: Readonly<Record<string, string>>;
}

/** The service; it keeps no state of its own. */
export function createLogs(options: LogsOptions): Logs {
  const driverOf = (container: LoggedContainer): string => {
    const type = container.hostConfig.LogConfig?.Type ?? '';
    return type === '' ? options.logDriver : type;
  };
  const path = (container: LoggedContainer): string =>
    driverOf(container) === 'none'
      ? ''
      : join(options.containersRoot, container.id, `${container.id}-json.log`);
  return {
    path,
    configure: (given) => configure(given, options),
    settings: (container) => settings(container, path(container)),
    read: (container, wanted) => {
      if (path(container) === '') {
        throw notImplemented('configured logging driver does not support reading');
      }
      return readLogs(path(container), wanted);
    },
    remove: async (container) => {
      if (path(container) !== '') await removeFiles(path(container));
    },
  };
}

function configure(
  given: LogConfig | undefined,
  defaults: LogsOptions,
): ReturnType<Logs['configure']> {
  const type = given?.Type ?? '';
  const driver = type === '' ? defaults.logDriver : type;
  const inherited = driver === defaults.logDriver ? defaults.logOptions : {};
  const config = { ...inherited, ...given?.Config };
  checkLogConfig(driver, config);
  return { Type: driver, Config: config };
}

function settings(container: LoggedContainer, path: string): LogSettings {
  if (path === '') return { kind: 'none' };
  const options = container.hostConfig.LogConfig?.Config ?? {};
  const attributes = logAttributes(options, {
    labels: container.config.Labels ?? {},
    env: container.config.Env ?? [],
  });
  return {
    kind: 'json-file',
    path,
    ...logBounds(options),
    ...(attributes === undefined ? {} : { attrsJson: JSON.stringify(attributes) }),
  };
}

async function removeFiles(path: string): Promise<void> {
  const files = await openLogFiles(path);
  await closeLogFiles(files);
  // Oldest first: whoever is interrupted leaves no gap that would hide the older ones.
  for (let number = files.length - 1; number >= 0; number -= 1) {
    await rm(number === 0 ? path : `${path}.${number}`, { force: true });
  }
}
