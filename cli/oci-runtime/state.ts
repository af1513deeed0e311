import type { OciSeccomp } from '../../daemon/runtime/oci.js';
import { readRecord, statusOf, type ContainerRecord, type Status } from './store.js';

/** The state document of the runtime-spec, with the few members that callers look for besides. */
export interface StateDocument {
  readonly ociVersion: string;
  readonly id: string;
  readonly status: Status;
  /** Of the first process, while it is created, running or paused. */
  readonly pid?: number;
  readonly bundle: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly rootfs: string;
  readonly created: string;
  readonly owner: string;
}

/** Pure. */
export function stateDocument(record: ContainerRecord, status: Status): StateDocument {
  const { pid, annotations } = record;
  const isLive = status === 'created' || status === 'running' || status === 'paused';
  return {
    ociVersion: record.ociVersion,
    id: record.id,
    status,
    ...(isLive && pid !== undefined ? { pid } : {}),
    bundle: record.bundle,
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    rootfs: record.rootfs,
    created: record.created,
    owner: '',
  };
}

/** The container process state of the runtime-spec, as the listener of a filter is sent it. */
export function processState(
  state: StateDocument,
  pid: number,
  { listenerMetadata: metadata }: Pick<OciSeccomp, 'listenerMetadata'> = {},
): Buffer {
  const { ociVersion } = state;
  return Buffer.from(JSON.stringify({
    ociVersion, fds: ['seccompFd'], pid, ...(metadata === undefined ? {} : { metadata }), state,
  }));
}

/** Throws `OciError` when there is no such container. */
export async function state(root: string, id: string): Promise<StateDocument> {
  const record = readRecord(root, id);
  return stateDocument(record, await statusOf(root, record));
}
