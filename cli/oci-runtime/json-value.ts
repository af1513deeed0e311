/** Reading JSON that others wrote: every error names the path of what is wrong. */
import { OciError } from './oci-error.js';

/** A value and where it stands: `$.linux.resources.memory.limit`. null is as good as absent. */
export class JsonValue {
  constructor(
    readonly value: unknown,
    readonly path = '$',
    /** What it is part of, for the words of errors. */
    readonly document = 'config.json',
  ) {}

  get isAbsent(): boolean {
    return this.value === undefined || this.value === null;
  }

  /** Absent, or nothing: an empty text, list or object. */
  get isEmpty(): boolean {
    const { value } = this;
    return this.isAbsent || value === '' ||
      (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
  }

  /** A member of an object; one that is absent, or of an absent object, is absent. */
  at(name: string): JsonValue {
    return new JsonValue(this.#members()[name], `${this.path}.${name}`, this.document);
  }

  text(): string {
    if (typeof this.value !== 'string') throw this.wrong('must be a string');
    if (this.value.includes('\0')) throw this.wrong('must not contain NUL');
    return this.value;
  }

  truth(): boolean {
    if (typeof this.value !== 'boolean') throw this.wrong('must be true or false');
    return this.value;
  }

  /** A whole number within bounds, both included. */
  integer(min: number, max: number): number {
    const { value } = this;
    if (typeof value !== 'number' || !Number.isInteger(value)) {
      throw this.wrong('must be a whole number');
    }
    if (value < min || value > max) throw this.wrong(`must be from ${min} to ${max}`);
    return value;
  }

  /** One of these words. */
  word<const Word extends string>(words: readonly Word[]): Word {
    const found = words.find((word) => word === this.value);
    if (found === undefined) throw this.wrong(`must be one of ${words.join(', ')}`);
    return found;
  }

  /** Empty when absent. */
  list<T>(read: (item: JsonValue) => T): readonly T[] {
    if (this.isAbsent) return [];
    if (!Array.isArray(this.value)) throw this.wrong('must be an array');
    return this.value.map((item, index) =>
      read(new JsonValue(item, `${this.path}[${index}]`, this.document)),
    );
  }

  /** Values by name; empty when absent. */
  map<T>(read: (item: JsonValue) => T): Readonly<Record<string, T>> {
    const members = Object.keys(this.#members()).map(
      (name) => [name, read(this.at(name))] as const,
    );
    return Object.fromEntries(members);
  }

  /** What `read` makes of it; undefined when absent. */
  optional<T>(read: (value: JsonValue) => T): T | undefined {
    return this.isAbsent ? undefined : read(this);
  }

  /** Must be there. */
  required(): this {
    if (this.isAbsent) throw this.wrong('is missing');
    return this;
  }

  wrong(reason: string): OciError {
    return new OciError(`${this.document}: ${this.path}: ${reason}`);
  }

  #members(): Readonly<Record<string, unknown>> {
    if (this.isAbsent) return {};
    if (typeof this.value !== 'object' || Array.isArray(this.value)) {
      throw this.wrong('must be an object');
    }
    // Neither null, nor an array, nor anything but an object, by the lines above.
    return this.value as Readonly<Record<string, unknown>>;
  }
}

/** The object without its members that are undefined: absent is absent, in types too. */
export function given<T extends object>(members: T): Given<T> {
  const entries = Object.entries(members).filter(([, value]) => value !== undefined);
  // Exactly what the type says: the same members, save those that are undefined.
  return Object.fromEntries(entries) as Given<T>;
}

type Given<T> = {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
} & { [K in keyof T as undefined extends T[K] ? never : K]: T[K] };
