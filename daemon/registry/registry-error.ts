/** What a registry answered, or why it could not be asked. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';

  constructor(
    /** HTTP status of the answer; 0 when there was none, or none that could be used. */
    readonly status: number,
    /**
     * As in the distribution spec (`MANIFEST_UNKNOWN`, `DENIED` …), or one of ours: `NETWORK`,
     * `NO_CREDENTIALS`, `REFUSED` (a rule of ours forbids it), `INVALID` (the answer is a lie).
     */
    readonly code: string,
    message: string,
    options?: { readonly cause?: unknown; readonly retryAfterMs?: number | undefined },
  ) {
    super(message, options);
    this.retryAfterMs = options?.retryAfterMs;
  }

  /** How long the registry wants to be left alone; undefined when it does not say. */
  readonly retryAfterMs: number | undefined;

  /** Whether the same request may well succeed a little later. */
  get transient(): boolean {
    return this.code === 'NETWORK' || this.status === 429 || this.status >= 500;
  }
}

/** The answer contradicts itself or what was asked for. */
export function invalidAnswer(message: string): RegistryError {
  return new RegistryError(0, 'INVALID', message);
}

interface ErrorBody {
  readonly code: string;
  readonly message: string;
}

const maxRetryAfterMs = 7 * 24 * 3_600_000;

/** `Retry-After`: seconds, or a date. Undefined for what is neither. */
export function retryAfterOf(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), maxRetryAfterMs);
}

/**
 * Reads `{"errors":[{code,message}]}`, or makes up what Docker says in its absence. Of a limit on
 * the rate it tells when it ends.
 */
export function errorOfAnswer(
  status: number,
  body: string,
  retryAfterMs?: number,
): RegistryError {
  const error = errorOfBody(status, body);
  if (retryAfterMs === undefined) return error;
  const when = `(try again in ${Math.ceil(retryAfterMs / 1000)} seconds)`;
  const message = status === 429 ? `${error.message} ${when}` : error.message;
  return new RegistryError(status, error.code, message, { retryAfterMs });
}

function errorOfBody(status: number, body: string): RegistryError {
  const first = firstError(body);
  if (first !== undefined) {
    const words = first.code.toLowerCase().replaceAll('_', ' ');
    const text = first.message === '' ? words : `${words}: ${first.message}`;
    return new RegistryError(status, first.code, text);
  }
  if (status === 401) {
    return new RegistryError(status, 'UNAUTHORIZED', 'unauthorized: authentication required');
  }
  if (status === 429) {
    const text = 'toomanyrequests: the registry limits how often it may be asked';
    return new RegistryError(status, 'TOOMANYREQUESTS', text);
  }
  if (status >= 500 || status < 400) {
    const text = `received unexpected HTTP status: ${status} ${reasons[status] ?? ''}`.trimEnd();
    return new RegistryError(status, 'UNKNOWN', text);
  }
  const excerpt = body.trim().slice(0, 200);
  const text = `unknown: ${excerpt === '' ? `HTTP status ${status}` : excerpt}`;
  return new RegistryError(status, 'UNKNOWN', text);
}

const reasons: Readonly<Record<number, string>> = {
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

function firstError(body: string): ErrorBody | undefined {
  const parsed = parseJson(body);
  if (!isObject(parsed) || !Array.isArray(parsed['errors'])) return undefined;
  const first: unknown = parsed['errors'][0];
  if (!isObject(first) || typeof first['code'] !== 'string') return undefined;
  const message = typeof first['message'] === 'string' ? first['message'] : '';
  return { code: first['code'].slice(0, 100), message: message.slice(0, 1000) };
}

/** A JSON object, as far as is known of it. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether a parsed value is an object with keys. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Parses JSON from outside; undefined for what is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
