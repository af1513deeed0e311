import { fileURLToPath } from 'node:url';
import { onBothEngines } from '../../support/compat.js';
import { composeMissing, composeOf, importImage } from '../../support/compose.js';

const file = fileURLToPath(new URL('../../../../docker-compose.test.yml', import.meta.url));

/** What the registry's own image would bring along. */
const configuration =
  'version: 0.1\\nstorage:\\n  filesystem:\\n    rootdirectory: /var/lib/registry\\n' +
  'http:\\n  addr: 0.0.0.0:5000\\n';
const serve = `printf '${configuration}' > /tmp/c.yml; exec docker-registry serve /tmp/c.yml`;

onBothEngines('docker compose', composeMissing(['registry']), async (t, engine) => {
  await importImage(t, engine, 'registry', `CMD ${JSON.stringify(['sh', '-c', serve])}`);
  t.teardown(() => engine.api.delete(`/images/${engine.tag}-registry:1?force=1`));
  await engine.check('docker-compose.test.yml comes up and goes', async (t) => {
    // Any port: the project's own default may be in use beside the test.
    const environment = {
      TEST_REGISTRY_IMAGE: `${engine.tag}-registry:1`,
      TEST_REGISTRY_PORT: '0',
    };
    const compose = composeOf(t, engine, file);
    const up = await compose.run(['up', '-d', '--wait'], { environment });
    t.equal(up.code, 0, up.stderr);
    const port = await compose.run(['port', 'registry', '5000'], { environment });
    const answer = await engine.docker(
      'run', '--rm', '--network', 'host', engine.image, 'sh', '-c',
      `for i in $(seq 50); do wget -qO- http://${port.stdout.trim()}/v2/ && break; sleep 0.1; done`,
    );
    t.match(answer.stdout, '{}');
    const down = await compose.run(['down', '-v', '-t', '2'], { environment });
    t.equal(down.code, 0, down.stderr);
  });
});
