import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onBothEngines } from '../../support/compat.js';
import { testCache } from '../../support/docker-cli.js';
import { playScenario } from '../../support/scenario.js';

const script = fileURLToPath(
  new URL('../../../../test/compat/sdk/docker-py/scenario.py', import.meta.url),
);
const unpacked = join(testCache(), 'python-docker/usr/lib/python3/dist-packages');
const environment = {
  PYTHONDONTWRITEBYTECODE: '1',
  ...(existsSync(unpacked) && { PYTHONPATH: unpacked }),
};

function missing(): string | false {
  try {
    execFileSync('python3', ['-c', 'import docker'], { env: { ...process.env, ...environment } });
    return false;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return 'there is no docker-py: .ci/setup tests';
  }
}

onBothEngines('docker-py', missing(), async (t, engine) => {
  await playScenario(t, engine, { command: ['python3', script], environment });
});
