/** What the networks service needs of the others, as it wants to see them. */
import type { EndpointSettings } from '../../api-spec/index.js';
import type { ContainerRecord } from '../containers/record.js';
import type { TaskPorts } from '../runtime/task.js';
import type { Statement } from '../store/store.js';

/** A container as far as networks care. */
export interface NetworkedContainer {
  readonly record: ContainerRecord;
  /** Of its live process; undefined when it has none. */
  readonly pid: number | undefined;
  /** What its shim holds; undefined when it has none. */
  readonly ports: TaskPorts | undefined;
}

/** The containers, found and changed. */
export interface ContainersNeed {
  /** By id, name or prefix; `ApiError` 404 `No such container: x`. */
  find(ref: string): NetworkedContainer;
  /** Runs `work` while nothing else changes this container: no start, exit, update or rename. */
  inTurn<T>(id: string, work: () => Promise<T>): Promise<T>;
  /** Replaces what a container asks of its networks, durably. */
  setEndpoints(id: string, endpoints: Readonly<Record<string, EndpointSettings>>): Promise<void>;
}

/** Something to tell, once the change that it tells of has been committed. */
export interface EventsNeed {
  stamp(event: NetworkEvent): {
    readonly statements: readonly Statement[];
    announce(): void;
  };
  /** A change that nobody waits for, and its events. */
  keepSoon(statements: readonly Statement[], events: readonly NetworkEvent[]): Promise<void>;
}

/** What happened to a network, in the API's words. */
export interface NetworkEvent {
  readonly type: 'network';
  readonly action: 'create' | 'connect' | 'disconnect' | 'destroy';
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
}
