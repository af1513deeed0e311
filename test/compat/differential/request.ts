/** What is sent to both engines, as data. */

/** One request; `{name}` of the scene in its path or body is each engine's own. */
export interface Request {
  readonly method: string;
  /** Without the version. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly raw?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** `1.45` unless given; null for a path without a version. */
  readonly version?: string | null;
  /** How a good answer's JSON is compared: its fields and types, or their values too. */
  readonly depth?: 'shape' | 'values';
  /** Of a process that may just have ended: both are asked again until both have told of it. */
  readonly settles?: true;
  /** Only what comes within this time is read of the answer. */
  readonly readMs?: number;
}

/** The containers that a case may have to itself; each is removed after it. */
export type Stage = 'created' | 'running' | 'paused' | 'exited';

/** Requests in order, with what has to be there before. */
export interface Case {
  readonly name: string;
  /** A container of its own, `{own}`. */
  readonly on?: Stage;
  readonly requests: readonly Request[];
}

/** A case of one request, named by it. */
export function once(method: string, path: string, more: Partial<Request> & On = {}): Case {
  const { on, says, ...rest } = more;
  const name = says ?? `${method} ${path}${'body' in rest ? ` ${brief(rest.body)}` : ''}`;
  return { name, ...(on && { on }), requests: [{ method, path, ...rest }] };
}

interface On {
  readonly on?: Stage;
  /** The name, where the request itself says too little. */
  readonly says?: string;
}

const maxBriefLength = 100;

function brief(body: unknown): string {
  const text = JSON.stringify(body);
  return text.length > maxBriefLength ? `${text.slice(0, maxBriefLength)}…` : text;
}

/** Filters as a query's value. */
export const filters = (value: unknown): string =>
  `filters=${encodeURIComponent(typeof value === 'string' ? value : JSON.stringify(value))}`;
