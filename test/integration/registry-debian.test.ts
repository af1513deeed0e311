/**
 * A Debian root, of packages that have what is hard to carry: set-uid files, hard and symbolic
 * links, deep folders. To a real registry with TLS and basic auth, and back.
 */
import { execFile, spawn } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { test, type Test } from 'tap';
import { treeDigest } from '../../native/unpack/index.js';
import { lacking, packageFolder } from '../support/debian-package.js';
import { openImageWorld, type ImageWorld } from '../support/image-world.js';
import { importTar } from '../support/import-tar.js';
import { ownAddress } from '../support/own-address.js';
import { basicUser, startRegistry } from '../support/registry.js';

const run = promisify(execFile);
const isRoot = process.geteuid?.() === 0;
const skip = isRoot ? lacking('debian-root') : 'owners and addresses need root';
const signal = new AbortController().signal;

async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'tsdocker-debian-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Files of packages in one root, and a few that no package has. */
async function debianRoot(t: Test): Promise<string> {
  const root = join(await folder(t), 'root');
  await run('cp', ['-a', await packageFolder('debian-root'), root]);
  const home = join(root, 'home/user');
  await run('install', ['-d', '-m', '0750', '-o', '1000', '-g', '70000', home]);
  await run('touch', ['-d', '2001-02-03T04:05:06Z', join(home, 'naïve – name')]);
  await run('ln', [join(home, 'naïve – name'), join(home, 'hard')]);
  await run('mknod', ['-m', '0600', join(home, 'null'), 'c', '1', '3']);
  await run('mkfifo', [join(home, 'pipe')]);
  await run('chown', ['-h', '1000:70000', join(home, 'hard'), join(home, 'pipe')]);
  return root;
}

async function world(t: Test, certificates: string): Promise<ImageWorld> {
  const opened = await openImageWorld({ registry: { certificateDirectories: [certificates] } });
  t.teardown(() => opened.close());
  return opened;
}

test('a Debian root goes to a registry and comes back the same', { skip }, async (t) => {
  const directory = await folder(t);
  const address = await ownAddress(t);
  const registry = await startRegistry({ directory, tls: true, basicAuth: true, address });
  t.teardown(() => registry.stop());
  const certificates = join(directory, 'certs.d');
  await mkdir(join(certificates, registry.host), { recursive: true });
  await copyFile(registry.authorityPath, join(certificates, registry.host, 'ca.crt'));
  const root = await debianRoot(t);
  const name = `${registry.host}/debian`;

  const here = await world(t, certificates);
  // The archive is GNU tar's, as a user would make it.
  const tar = spawn('tar', ['--numeric-owner', '--format=pax', '-C', root, '-c', '.'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => tar.kill('SIGKILL'));
  await importTar(here.images, Buffer.alloc(0), {
    body: Readable.from(tar.stdout, { objectMode: false }),
    repo: name,
    changes: ['CMD ["bash"]', 'USER 1000'],
  });
  const sending = (auth: object): Promise<void> =>
    here.images.push({ image: name, tag: '1', auth, sink: async () => undefined, signal });

  await t.test('without the password nothing is sent', async (t) => {
    await t.rejects(sending({}), { message: 'no basic auth credentials' });
  });
  await t.test('without the authority it is not trusted', async (t) => {
    const strange = await world(t, join(directory, 'none'));
    await t.rejects(strange.pull(`${name}:1`, { auth: basicUser }), {
      message: /x509: certificate signed by unknown authority/,
    });
  });
  await t.test('paths, kinds, modes, owners, links, times and contents are equal', async (t) => {
    await sending(basicUser);
    const there = await world(t, certificates);
    await there.pull(`${name}:1`, { auth: basicUser });
    const image = there.images.resolve(`${name}:1`);
    t.match(image, { id: here.images.resolve(`${name}:1`).id, config: { User: '1000' } });
    const [layer = ''] = there.driver.layerFolders(image.layers);
    t.equal(await treeDigest(layer), await treeDigest(root));
    const { stdout: files } = await run('find', [layer, '-type', 'f', '-links', '+1']);
    t.ok(files.split('\n').length > 2, 'hard links are still some');
    t.same(await there.leftovers(), []);
  });
});
