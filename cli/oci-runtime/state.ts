import { readRecord, statusOf, type ContainerRecord, type Status } from './store.js';

/** The state document of the runtime-spec, with the few members that callers look for besides. */
export interface StateDocument {
  readonly ociVersion: string;
  readonly id: string;
  readonly status: Status;
  /** Of the first process, while it is created or running. */
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
  const isLive = status === 'created' || status === 'running';
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

/** Throws `OciError` when there is no such container. */
export async function state(root: string, id: string): Promise<StateDocument> {
  const record = readRecord(root, id);
  return stateDocument(record, await statusOf(root, record));
}
