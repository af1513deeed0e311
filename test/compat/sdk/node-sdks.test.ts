import { fileURLToPath } from 'node:url';
import { onBothEngines } from '../../support/compat.js';
import { playScenario } from '../../support/scenario.js';

const programs = ['dockerode-scenario.js', 'testcontainers-scenario.js'];

/** Ryuk has no image here; its sequence of calls is a check of the first program. */
const environment = {
  TESTCONTAINERS_RYUK_DISABLED: 'true',
  TESTCONTAINERS_REUSE_ENABLE: 'true',
  TESTCONTAINERS_HOST_OVERRIDE: '127.0.0.1',
};

onBothEngines('dockerode and testcontainers', false, async (t, engine) => {
  for (const program of programs) {
    const path = fileURLToPath(new URL(program, import.meta.url));
    await playScenario(t, engine, { command: [process.execPath, path], environment });
  }
});
