/** Gives memory back when there is nothing to do: an idle daemon is mostly what it once needed. */
import { releaseFreeMemory, releaseProgramText } from '../native/memory.js';

const lookMs = 10_000;
/** Of CPU time between two looks: below it the daemon was idle. */
const idleUs = 60_000;

/**
 * Looks every ten seconds; after a busy time it collects garbage once and returns what is free to
 * the kernel. The returned function ends that.
 */
export function keepLean(): () => void {
  let last = process.cpuUsage();
  let wasBusy = true;
  const timer = setInterval(() => {
    const { user, system } = process.cpuUsage(last);
    last = process.cpuUsage();
    if (user + system > idleUs) {
      wasBusy = true;
    } else if (wasBusy) {
      wasBusy = false;
      globalThis.gc?.();
      releaseFreeMemory();
      releaseProgramText();
      last = process.cpuUsage();
    }
  }, lookMs);
  timer.unref();
  return () => clearInterval(timer);
}
