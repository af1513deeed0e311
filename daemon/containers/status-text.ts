/** The human words for a container's state, as `docker ps` shows them: pure. */
import type { ContainerState } from './state.js';

/** `Up 5 minutes (Paused)`, `Exited (0) 3 seconds ago`, `Created`, … */
export function statusText(state: ContainerState, nowMs: number, health = ''): string {
  const shown = health === 'starting' ? 'health: starting' : health;
  const ago = (sinceMs: number): string => humanDuration(nowMs - sinceMs);
  switch (state.status) {
    case 'created':
      return 'Created';
    case 'running':
      return `Up ${ago(state.startedAtMs)}${shown === '' ? '' : ` (${shown})`}`;
    case 'paused':
      return `Up ${ago(state.startedAtMs)} (Paused)`;
    case 'restarting':
      return `Restarting (${state.exitCode}) ${ago(state.finishedAtMs)} ago`;
    case 'exited':
      return `Exited (${state.exitCode}) ${ago(state.finishedAtMs)} ago`;
    case 'removing':
      return 'Removal In Progress';
    case 'dead':
      return 'Dead';
  }
}

/** From which count of hours on a duration is told in which unit of hours. */
const units: readonly (readonly [belowHours: number, unitHours: number, name: string])[] = [
  [48, 1, 'hours'],
  [24 * 14, 24, 'days'],
  [24 * 60, 24 * 7, 'weeks'],
  [24 * 365 * 2, 24 * 30, 'months'],
  [Infinity, 24 * 365, 'years'],
];

/** A duration in Docker's rough words: `Less than a second`, `About a minute`, `3 weeks`. */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1000);
  if (seconds < 1) return 'Less than a second';
  if (seconds < 60) return seconds === 1 ? '1 second' : `${seconds} seconds`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return minutes === 1 ? 'About a minute' : `${minutes} minutes`;
  // Docker rounds hours to the nearest, and only then cuts them into days and weeks.
  const hours = Math.round(seconds / 3600);
  if (hours === 1) return 'About an hour';
  const [, unitHours, name] = units.find(([belowHours]) => hours < belowHours) ?? [
    0,
    8760,
    'years',
  ];
  return `${Math.floor(hours / unitHours)} ${name}`;
}
