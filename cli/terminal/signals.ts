import type { Engine } from '../engine/engine.js';

const proxied = ['HUP', 'INT', 'QUIT', 'TERM', 'USR1', 'USR2', 'CONT', 'ALRM', 'WINCH'] as const;

/** Sends the signals that we get to the container instead; the answer stops that. */
export function proxySignals(engine: Engine, id: string): () => void {
  const removers = proxied.map((name) => {
    const forward = (): void => {
      const sent = engine.text('POST', `/containers/${id}/kill`, { query: { signal: name } });
      // The container may be gone by now: then the signal has nobody to reach.
      sent.catch(() => undefined);
    };
    process.on(`SIG${name}`, forward);
    return (): void => void process.off(`SIG${name}`, forward);
  });
  return () => removers.forEach((remove) => remove());
}
