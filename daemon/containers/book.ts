import { conflict, invalidParameter, notFound } from '../../api-spec/errors.js';
import type { Container } from './container.js';
import type { ContainerRecord } from './record.js';

/** All containers in memory, found by id, name and id prefix as Docker finds them. */
export class Book {
  readonly #byId = new Map<string, Container>();
  /** Names in use and names that a create or rename holds while it is under way. */
  readonly #names = new Map<string, string>();
  /** Containers that are being made: they hold their image's layers already. */
  readonly #drafts = new Map<string, ContainerRecord>();

  all(): readonly Container[] {
    return [...this.#byId.values()];
  }

  get(id: string): Container | undefined {
    return this.#byId.get(id);
  }

  /**
   * By full id, then exact name (with or without its slash), then unique id prefix.
   * `ApiError` 404 when there is none, 400 when a prefix fits several.
   */
  resolve(ref: string): Container {
    const exact = this.#byId.get(ref) ?? this.#byName(ref.replace(/^\//, ''));
    if (exact !== undefined) return exact;
    const found = /^[0-9a-f]{1,64}$/.test(ref)
      ? this.all().filter(({ id }) => id.startsWith(ref))
      : [];
    if (found.length > 1) {
      throw invalidParameter(`multiple IDs found with provided prefix: ${ref}`);
    }
    const [only] = found;
    if (only === undefined) throw notFound(`No such container: ${ref}`);
    return only;
  }

  /** The records of all, those that are still being made included. */
  records(): readonly ContainerRecord[] {
    return [...this.all().map(({ record }) => record), ...this.#drafts.values()];
  }

  /**
   * Holds name and image of a container that is being made; `ApiError` 409 when the name is taken.
   */
  addDraft(draft: ContainerRecord): void {
    this.reserveName(draft.name, draft.id);
    this.#drafts.set(draft.id, draft);
  }

  /** It has been made, or it will not be: then its name is free again. */
  dropDraft(draft: ContainerRecord): void {
    this.#drafts.delete(draft.id);
    if (!this.#byId.has(draft.id)) this.releaseName(draft.name);
  }

  isTaken(name: string): boolean {
    return this.#names.has(name);
  }

  /** Holds `name` for `id`; `ApiError` 409 in the words that clients match when it is taken. */
  reserveName(name: string, id: string): void {
    const owner = this.#names.get(name);
    if (owner !== undefined && owner !== id) {
      throw conflict(
        `Conflict. The container name "/${name}" is already in use by container "${owner}". ` +
          'You have to remove (or rename) that container to be able to reuse that name.',
      );
    }
    this.#names.set(name, id);
  }

  releaseName(name: string): void {
    this.#names.delete(name);
  }

  add(container: Container): void {
    this.#byId.set(container.id, container);
    this.#names.set(container.record.name, container.id);
  }

  remove(container: Container): void {
    this.#byId.delete(container.id);
    this.#names.delete(container.record.name);
  }

  #byName(name: string): Container | undefined {
    const id = this.#names.get(name);
    return id === undefined ? undefined : this.#byId.get(id);
  }
}
