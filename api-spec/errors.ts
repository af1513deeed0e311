/**
 * The errors that a caller of the API may see, each with its one HTTP status.
 *
 * A service throws an `ApiError`; `daemon/http/errors.ts` is the only place that turns it into a
 * response. Messages are Docker's own wording, because clients match on them.
 */
export const errorStatus = {
  InvalidParameter: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  Conflict: 409,
  TooLarge: 413,
  UnsupportedMedia: 415,
  System: 500,
  NotImplemented: 501,
  Unavailable: 503,
  NoSpace: 507,
} as const;

/** The name of a status. */
export type ErrorKind = keyof typeof errorStatus;

/**
 * What the caller did wrong or may not have; `kind` decides the status, `message` is shown as is.
 */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly kind: ErrorKind,
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
  }
}

type Make = (message: string, cause?: unknown) => ApiError;

const maker =
  (kind: ErrorKind): Make =>
  (message, cause) =>
    new ApiError(kind, message, cause === undefined ? undefined : { cause });

/** 400: the request itself is wrong, whatever the state. */
export const invalidParameter = maker('InvalidParameter');
/** 401: the registry or the engine wants credentials, or refused those given. */
export const unauthorized = maker('Unauthorized');
/** 403: understood, and never allowed in this state. */
export const forbidden = maker('Forbidden');
/** 404: the named thing does not exist. */
export const notFound = maker('NotFound');
/** 409: the thing is in a state, or a name is taken, that forbids this. */
export const conflict = maker('Conflict');
/** 413: a body, header or name over its bound. */
export const tooLarge = maker('TooLarge');
/** 500: the engine or the kernel failed; the message says at what. */
export const systemError = maker('System');
/** 501: known to Docker and not to this engine. */
export const notImplemented = maker('NotImplemented');
/** 503: not now, or not on this node. */
export const unavailable = maker('Unavailable');
/** 507: no space or no inodes left where it was needed. */
export const noSpace = maker('NoSpace');
