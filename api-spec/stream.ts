/** What comes in pieces: progress of pull, load and build, and events. */
import { Type } from 'typebox';
import { anything, map, num, optional, text, type Shape } from './shape.js';

/** What went wrong after the first byte. */
export const ErrorDetail = Type.Object({ code: optional(num), message: text });
/** What went wrong after the first byte. */
export type ErrorDetail = Shape<typeof ErrorDetail>;

/** How far one piece of work is. */
export const ProgressDetail = Type.Object({
  current: optional(num),
  total: optional(num),
  start: optional(num),
  hidecounts: optional(Type.Boolean()),
  units: optional(text),
});
/** How far one piece of work is. */
export type ProgressDetail = Shape<typeof ProgressDetail>;

/**
 * One line of a progress stream. `progress` and `error` are Docker's older spellings of
 * `progressDetail` and `errorDetail`; docker-py still reads them.
 */
export const JsonMessage = Type.Object({
  stream: optional(text),
  status: optional(text),
  progressDetail: optional(ProgressDetail),
  progress: optional(text),
  id: optional(text),
  error: optional(text),
  errorDetail: optional(ErrorDetail),
  aux: optional(anything),
});
/** One line of a progress stream. */
export type JsonMessage = Shape<typeof JsonMessage>;

/** Whom an event is about. */
export const EventActor = Type.Object({ ID: text, Attributes: map(text) });
/** Whom an event is about. */
export type EventActor = Shape<typeof EventActor>;

/**
 * One event; `time` in seconds, `timeNano` in nanoseconds, so beyond 2^53: written as it is kept.
 */
export const EventMessage = Type.Object({
  status: optional(text),
  id: optional(text),
  from: optional(text),
  Type: text,
  Action: text,
  Actor: EventActor,
  scope: text,
  time: num,
  timeNano: num,
});
/** One event; `time` in seconds, `timeNano` in nanoseconds. */
export type EventMessage = Shape<typeof EventMessage>;
