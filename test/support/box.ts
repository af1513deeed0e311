import type { Test } from 'tap';
import { run } from './containers.js';
import { startDaemon, type TestDaemon } from './daemon.js';
import { importDemoImage } from './demo-image.js';

/** A daemon with a container `box` that sleeps, to execute things in. */
export async function startBox(t: Test): Promise<TestDaemon> {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  await run(daemon, { name: 'box', command: ['sleep', '1000'] });
  return daemon;
}
