/** What only this engine changes of a container that runs: ports, labels, log, and its health. */
import { invalidParameter } from '../../api-spec/errors.js';
import type { ContainerUpdateBody } from '../../api-spec/index.js';
import { ErrnoError } from '../../native/errno-error.js';
import type { Container } from './container.js';
import type { Context } from './context.js';
import type { PortEdit } from './needs.js';
import type { ContainerRecord } from './record.js';

/** The fields of the body that are no limits. */
export const editedFields: ReadonlySet<string> = new Set<keyof ContainerUpdateBody>([
  'PortBindings', 'Labels', 'RestartOnUnhealthy', 'LogConfig',
]);

/** The record with what `body` says of ports, labels, log options and health. Pure. */
export function edited(record: ContainerRecord, body: ContainerUpdateBody): ContainerRecord {
  const { PortBindings, Labels, RestartOnUnhealthy, LogConfig } = body;
  const { config, hostConfig } = record;
  return {
    ...record,
    config: { ...config, ...(Labels === undefined ? {} : { Labels }) },
    hostConfig: {
      ...hostConfig,
      ...(PortBindings === undefined ? {} : { PortBindings }),
      ...(RestartOnUnhealthy === undefined ? {} : { RestartOnUnhealthy }),
      ...(LogConfig?.Config === undefined
        ? {}
        : { LogConfig: { ...hostConfig.LogConfig, Config: LogConfig.Config } }),
    },
  };
}

/** What a verb on a live container's edit works with. */
export interface Edit {
  readonly updated: ContainerRecord;
  readonly body: ContainerUpdateBody;
}

/** Refuses what no container may have; `ApiError` 400. */
export function checkEdit(
  context: Context,
  record: ContainerRecord,
  { updated, body }: Edit,
): void {
  const { PortBindings, LogConfig } = body;
  if (PortBindings !== undefined) context.networks.check(updated);
  if (LogConfig === undefined) return;
  const before = record.hostConfig.LogConfig?.Type ?? '';
  const { Type: driver = '' } = LogConfig;
  if (driver !== '' && driver !== before) {
    throw invalidParameter(
      `Cannot update container ${record.id}: its log driver is ${before} and stays so`);
  }
  context.logs.check(updated);
}

/** Serves other ports of a live container, if `body` names any. */
export async function editPorts(
  context: Context,
  { task }: Container,
  { updated, body }: Edit,
): Promise<PortEdit | undefined> {
  if (body.PortBindings === undefined || task === undefined) return undefined;
  return context.networks.editPorts(updated, task.ports);
}

/** Its shim writes the log by the new options, and with the new labels; tells what it cannot. */
export async function editLog(
  context: Context,
  { record, task }: Container,
  { Labels, LogConfig }: ContainerUpdateBody,
): Promise<readonly string[]> {
  if (task === undefined || (Labels === undefined && LogConfig === undefined)) return [];
  try {
    await context.logs.update(record, task);
    return [];
  } catch (error) {
    if (!(error instanceof ErrnoError && error.code === 'ENOSYS')) throw error;
    return ['The container was started by an older version: its log changes with a restart.'];
  }
}
