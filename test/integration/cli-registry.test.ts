/** The client's commands that have to do with registries, against a daemon and a real registry. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { importImage } from '../../bench/image.js';
import { openClient } from '../../bench/client.js';
import { startDaemon } from '../support/daemon.js';
import { basicUser, startRegistry } from '../support/registry.js';

const program = fileURLToPath(new URL('../../cli/tsdocker.cjs', import.meta.url));

/** A credential helper that keeps one password in a file. */
const helper = (kept: string): string => `#!/bin/sh
case "$1" in
  store) cat >${kept} ;;
  erase) rm -f ${kept} ;;
  get) cat ${kept} 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
esac
`;

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

test('an image is pushed, found again and pulled, once one has logged in', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'tsdocker-cli-registry-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const registry = await startRegistry({ directory, basicAuth: true });
  t.teardown(() => registry.stop());
  const { socket } = await startDaemon(t);
  const client = openClient(socket);
  t.teardown(() => client.close());
  const name = `${registry.host}/team/app`;
  await importImage(client, 'app:1');
  await client.text('POST', `/images/app:1/tag?repo=${encodeURIComponent(name)}&tag=1`);
  const config = join(directory, 'config');

  const run = (words: string, input = ''): Promise<Outcome> =>
    new Promise((resolve) => {
      const path = `${join(directory, 'bin')}:${process.env['PATH'] ?? ''}`;
      const own = { PATH: path, DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: config };
      const env = { ...process.env, ...own };
      const options = { env, timeout: 60_000 };
      const child = execFile(
        process.execPath,
        [program, ...words.split(' ')],
        options,
        (problem, stdout, stderr) =>
          resolve({ status: problem === null ? 0 : Number(problem.code), stdout, stderr }),
      );
      child.stdin?.end(input);
    });

  await t.test('without credentials nothing is pushed', async (t) => {
    const { status, stderr } = await run(`push ${name}:1`);
    t.equal(status, 1);
    t.equal(stderr, 'no basic auth credentials\n');
  });
  await t.test('a wrong password is not kept', async (t) => {
    const { status, stderr } = await run(`login -u alice --password-stdin ${registry.host}`, 'no');
    t.equal(status, 1);
    t.match(stderr, /401 Unauthorized/);
    await t.rejects(stat(join(config, 'config.json')), { code: 'ENOENT' });
  });
  await t.test('the right one is, for its owner alone', async (t) => {
    const words = `login -u ${basicUser.username} --password-stdin ${registry.host}`;
    const { status, stdout } = await run(words, `${basicUser.password}\n`);
    t.equal(status, 0);
    t.equal(stdout, 'Login Succeeded\n');
    const path = join(config, 'config.json');
    t.equal((await stat(path)).mode & 0o777, 0o600);
    const { auths } = Object(JSON.parse(await readFile(path, 'utf8')));
    t.same(auths, { [registry.host]: { auth: Buffer.from('alice:secret').toString('base64') } });
  });
  await t.test('then the push goes through, and the layers are told', async (t) => {
    const { status, stdout } = await run(`push ${name}:1`);
    t.equal(status, 0);
    t.match(stdout, new RegExp(`^The push refers to repository \\[${name}\\]\n`));
    t.match(stdout, /\n[\da-f]{12}: Pushed\n1: digest: sha256:[\da-f]{64} size: \d+\n$/);
    t.equal((await run(`push -q ${name}:1`)).stdout, `${name}:1\n`);
    await run(`rmi ${name}:1`);
    t.match((await run(`pull ${name}:1`)).stdout, /Status: Downloaded newer image/);
  });
  await t.test('its history is shown', async (t) => {
    const { stdout } = await run(`history ${name}:1`);
    t.match(stdout, /^IMAGE +CREATED +CREATED BY +SIZE +COMMENT\n[\da-f]{12} /);
    const [id] = (await run(`history -q --no-trunc ${name}:1`)).stdout.split('\n');
    t.match(id, /^sha256:[\da-f]{64}$/);
  });
  await t.test('it is saved to a file, and loaded from there', async (t) => {
    const file = join(directory, 'app.tar');
    t.equal((await run(`save -o ${file} ${name}:1`)).status, 0);
    await run(`rmi ${name}:1`);
    t.equal((await run(`load -i ${file}`)).stdout, `Loaded image: ${name}:1\n`);
    const { status, stderr } = await run(`save -o ${directory}/none/x.tar ${name}:1`);
    t.equal(status, 1);
    t.match(stderr, /no such file or directory/);
  });
  await t.test('after a logout the registry is closed again', async (t) => {
    const removing = `Removing login credentials for ${registry.host}\n`;
    t.equal((await run(`logout ${registry.host}`)).stdout, removing);
    t.equal((await run(`logout ${registry.host}`)).stdout, `Not logged in to ${registry.host}\n`);
    t.match((await run(`push ${name}:1`)).stderr, /no basic auth credentials/);
  });
  for (const [what, settings] of [
    ['of all registries', { credsStore: 'fake' }],
    ['of this registry', { credsStore: 'none', credHelpers: { [registry.host]: 'fake' } }],
  ] as const) {
    await t.test(`the helper ${what} keeps the password, not config.json`, async (t) => {
      const kept = join(directory, 'kept');
      await mkdir(join(directory, 'bin'), { recursive: true });
      await writeFile(join(directory, 'bin/docker-credential-fake'), helper(kept), { mode: 0o755 });
      const path = join(config, 'config.json');
      await writeFile(path, JSON.stringify(settings));
      t.match((await run(`push ${name}:1`)).stderr, /no basic auth credentials/);
      const words = `login -u ${basicUser.username} --password-stdin ${registry.host}`;
      t.equal((await run(words, basicUser.password)).status, 0);
      t.notMatch(await readFile(path, 'utf8'), /secret|YWxpY2U/);
      t.same(JSON.parse(await readFile(kept, 'utf8')), {
        ServerURL: registry.host,
        Username: basicUser.username,
        Secret: basicUser.password,
      });
      t.equal((await run(`push ${name}:1`)).status, 0);
      t.equal((await run(`logout ${registry.host}`)).status, 0);
      await t.rejects(stat(kept), { code: 'ENOENT' });
    });
  }
});
