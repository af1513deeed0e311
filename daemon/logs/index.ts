/** The logs service: where a container's log is, how large it may grow, and how it is read. */
import { join } from 'node:path';
import { invalidParameter, notImplemented } from '../../api-spec/errors.js';
import type { LogConfig } from '../../api-spec/index.js';
import { ErrnoError } from '../../native/errno-error.js';
import type { LogSettings } from '../../native/shim/monitor-settings.js';
import type { ContainerRecord } from '../containers/record.js';
import type { Task } from '../runtime/task.js';
import { logAttributes } from './attributes.js';
import { Packer } from './compress.js';
import { parseBoolean } from '../config/units.js';
import { cacheBounds, checkLogConfig, isLogDriver, logBounds, type LogOptions } from './options.js';
import type { ReadLogsOptions } from './read.js';
import { readLogs } from './read.js';
import { SharedLogs } from './shared-log.js';
import { checkReceiver, isShipped, Shippers } from './ship/index.js';
import type { TaggedContainer } from './tag.js';

export { logDrivers } from './options.js';
export type { ReadLogsOptions } from './read.js';

/** The log's part of a container's record. */
export type LoggedContainer = TaggedContainer & Pick<ContainerRecord, 'hostConfig'>;

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
  /** Absolute path of a json-file log; empty for other drivers, whose files are their own. */
  path(container: LoggedContainer): string;
  /** Throws `ApiError` 501 for a driver that keeps no log. */
  read(container: LoggedContainer, options: ReadLogsOptions): AsyncIterable<Buffer>;
  /**
   * Looks after the log while `task` writes it: compresses what has been rotated, ships what goes
   * elsewhere. Without a task, ships what is left.
   */
  attend(container: LoggedContainer, task: Task | undefined): void;
  /**
   * Its options are others now, and its labels may be: the shim writes by them from the next line
   * on. A container that has ended, or writes no log, is left alone.
   */
  update(container: LoggedContainer, task: Task): Promise<void>;
  /** The container is about to be removed: what can still be shipped is, for a while. */
  settle(container: LoggedContainer): Promise<void>;
  /** What was not shipped is left to the next daemon. */
  close(): Promise<void>;
}

/** Where containers are, and what they log to when they do not say. */
export interface LogsOptions {
  /** Directory with one directory per container, named by its id. */
  readonly containersRoot: string;
  readonly logDriver: string;
  readonly logOptions: LogOptions;
  /** What goes wrong in the background. */
  readonly warn: (error: unknown, message: string) => void;
  /** Where journald listens, if not where it does everywhere. */
  readonly journalSocket?: string;
}

/** How long the removal of a container waits for its lines to be shipped. */
const settleMs = 10_000;

/** The service; what it keeps is shared reading and the queue of what is to be compressed. */
export function createLogs(options: LogsOptions): Logs {
  const followed = new SharedLogs();
  const packer = new Packer((error, path) => {
    options.warn(error, `the log ${path} is no longer compressed`);
  });
  const shippers = new Shippers(options.warn, options.journalSocket);
  const driverOf = ({ hostConfig }: LoggedContainer): string => {
    const type = hostConfig.LogConfig?.Type ?? '';
    return type === '' ? options.logDriver : type;
  };
  const fileOf = (container: LoggedContainer): string => {
    const name = fileNames[driverOf(container)];
    return name === undefined ? '' : join(options.containersRoot, container.id, name(container.id));
  };
  const attend: Logs['attend'] = (container, task) => {
    const driver = driverOf(container);
    const path = fileOf(container);
    if (isShipped(driver)) {
      const given = optionsOf(container);
      const keptFiles = cacheBounds(given).maxFiles;
      const ended = task?.exited ?? Promise.resolve();
      shippers.begin({ driver, container, options: given, path, keptFiles, ended });
    }
    if (task === undefined || driver === 'none') return;
    packer.attend(path, task, logBounds(driver, optionsOf(container)).compress);
  };
  return {
    path: (container) => (driverOf(container) === 'json-file' ? fileOf(container) : ''),
    configure: (given) => configure(given, options),
    settings: (container) => {
      checkReceiver(driverOf(container), options.journalSocket);
      return settings(container, driverOf(container), fileOf(container));
    },
    read: (container, wanted) => {
      if (fileOf(container) === '' || isUncached(container)) {
        throw notImplemented('configured logging driver does not support reading');
      }
      const { maxSizeBytes } = logBounds(driverOf(container), optionsOf(container));
      return readLogs(fileOf(container), { ...wanted, fileBytes: maxSizeBytes }, followed);
    },
    attend,
    update: async (container, task) => {
      const bounds = settings(container, driverOf(container), fileOf(container));
      if (bounds.kind === 'none') return;
      await task.logSettings(bounds).catch(ignoreGone);
      attend(container, task);
    },
    settle: ({ id }) => shippers.settle(id, settleMs),
    close: () => shippers.close(),
  };
}

/** Of a log that is no longer written nothing can change. */
function ignoreGone(error: unknown): void {
  const isGone = error instanceof ErrnoError &&
    ['EPIPE', 'ECONNREFUSED', 'ENOENT', 'ENODATA'].includes(error.code);
  if (!isGone) throw error;
}

/** Below a container's own folder, by driver; a driver without one keeps no log. */
const fileNames: Readonly<Record<string, (id: string) => string>> = {
  'json-file': (id) => `${id}-json.log`,
  'local': () => 'local.log',
  'gelf': () => 'spool.log',
  'journald': () => 'spool.log',
  'syslog': () => 'spool.log',
};

const optionsOf = ({ hostConfig }: LoggedContainer): LogOptions =>
  hostConfig.LogConfig?.Config ?? {};

/** `logs` reads the spool of a driver that ships, unless that is switched off. */
const isUncached = (container: LoggedContainer): boolean =>
  parseBoolean(optionsOf(container)['cache-disabled'] ?? '') === true;

function configure(
  given: LogConfig | undefined,
  defaults: LogsOptions,
): ReturnType<Logs['configure']> {
  const type = given?.Type ?? '';
  const driver = type === '' ? defaults.logDriver : type;
  const inherited = driver === defaults.logDriver ? defaults.logOptions : {};
  const config = { ...inherited, ...given?.Config };
  if (!isLogDriver(driver)) {
    const why = `plugin "${driver}" not found`;
    throw invalidParameter(`error looking up logging plugin ${driver}: ${why}`);
  }
  checkLogConfig(driver, config);
  return { Type: driver, Config: config };
}

function settings(container: LoggedContainer, driver: string, path: string): LogSettings {
  if (path === '') return { kind: 'none' };
  const options = optionsOf(container);
  // What is shipped carries its attributes there.
  const attributes = isShipped(driver) ? undefined : logAttributes(options, container);
  const { maxSizeBytes, maxFiles } = logBounds(driver, options);
  return {
    kind: 'json-file',
    path,
    maxSizeBytes,
    maxFiles,
    ...(attributes === undefined ? {} : { attrsJson: JSON.stringify(attributes) }),
  };
}
