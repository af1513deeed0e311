import type { IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';

/** What a request carries. */
export interface RequestParts {
  readonly query?: Readonly<Record<string, QueryValue>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it comes; the engine is asked for its version first, since it cannot be sent twice. */
  readonly stream?: Readable;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** A missing value or an empty list leaves the parameter out; a list repeats it. */
export type QueryValue = string | number | boolean | readonly string[] | undefined;

/** A connection that has left HTTP behind and carries a container's streams. */
export interface Hijacked {
  readonly socket: Duplex;
  /** True: stdout and stderr come in frames; false: one raw stream, as from a terminal. */
  readonly isMultiplexed: boolean;
}

/** The engine behind the API. Every method throws EngineError, or CommandError if none answers. */
export interface Engine {
  /** The answer's JSON; undefined for an empty one. */
  readonly json: <T>(method: string, path: string, parts?: RequestParts) => Promise<T>;
  /** The answer's text, untouched. */
  readonly text: (method: string, path: string, parts?: RequestParts) => Promise<string>;
  /** The answer with its body still to be read. */
  readonly open: (method: string, path: string, parts?: RequestParts) => Promise<IncomingMessage>;
  readonly hijack: (path: string, parts?: RequestParts) => Promise<Hijacked>;
  /** The version of the API that is spoken, after asking the engine once. */
  readonly apiVersion: () => Promise<string>;
  /** A bare connection to the engine's socket, half-open capable. */
  readonly dial: () => Duplex;
  /** The endpoint in the user's words. */
  readonly shown: string;
}

/** What the engine refused, in its own words. */
export class EngineError extends Error {
  override readonly name = 'EngineError';

  constructor(
    readonly status: number,
    /** The engine's message without our prefix. */
    readonly reason: string,
  ) {
    super(`Error response from daemon: ${reason}`);
  }
}
