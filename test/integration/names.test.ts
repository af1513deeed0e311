/** What a container may not be called, in Docker's words. */
import { test } from 'tap';
import { create } from '../support/containers.js';
import { startDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';

test('a name that cannot be had is refused as Docker refuses it', {
  skip: process.getuid?.() === 0 ? false : 'a daemon needs root',
}, async (t) => {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  const taken = await create(daemon, { name: 'taken', command: ['true'] });
  const id = await create(daemon, { name: 'own', command: ['true'] });
  const rename = async (name: string): Promise<string> => {
    const { status, json } = await daemon.api.post(`/containers/${id}/rename?name=${name}`);
    return `${status} ${json?.message}`;
  };
  const prefix = 'Error when allocating new name:';
  for (const name of ['taken', '/taken']) {
    t.equal(await rename(name), `409 ${prefix} Conflict. The container name "/taken" is already ` +
      `in use by container "${taken}". You have to remove (or rename) that container to be able ` +
      'to reuse that name.');
  }
  for (const name of ['a', '-x']) {
    t.equal(await rename(name), `400 ${prefix} Invalid container name (/${name}), ` +
      'only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed');
  }
  t.match((await daemon.api.get(`/containers/${id}/json`)).json, { Name: '/own' });
});
