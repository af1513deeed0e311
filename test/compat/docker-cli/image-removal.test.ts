/** `docker rmi` by id, with several names, of images in use, by force: its rules and its words. */
import { randomBytes } from 'node:crypto';
import { docker, dockerProgram } from '../../support/docker-cli.js';
import { onBothEngines, type Engine, type Test } from '../../support/compat.js';
import { tarOf } from '../../support/tar.js';

/** An image of its own, with these names; its id. */
async function image({ host }: Engine, t: Test, ...names: readonly string[]): Promise<string> {
  const [first = '', ...more] = names;
  const input = tarOf([{ name: 'file', content: randomBytes(8) }]);
  const { stdout, stderr } = await docker(host, ['import', '-', first], { input });
  t.equal(stderr, '');
  for (const name of more) await docker(host, ['tag', first, name]);
  return stdout.trim();
}

/** An image that a container of `from` was committed to; its id. */
async function child(engine: Engine, from: string, name: string): Promise<string> {
  const container = (await engine.docker('create', from, 'x')).stdout.trim();
  const made = await engine.docker('commit', container, name);
  await engine.docker('rm', container);
  return made.stdout.trim();
}

/** Lines of `docker images` with one id. */
async function listed(engine: Engine, id: string, ...args: readonly string[]): Promise<number> {
  const { stdout } = await engine.docker('images', '-q', '--no-trunc', ...args);
  return stdout.split('\n').filter((line) => line === id).length;
}

/** Ids by what they are, so that both engines say the same. */
function worded(text: string, id: string): string {
  return text
    .replaceAll(id, 'ID')
    .replaceAll(id.slice(7, 19), 'SHORT')
    .replace(/Deleted: sha256:\w+/g, 'Deleted: LAYER')
    .replace(/container [0-9a-f]{12}/g, 'container C')
    .trim();
}

const conflict = 'Error response from daemon: conflict: ';

onBothEngines(
  'docker',
  dockerProgram() === undefined && 'there is no docker client',
  async (_t, engine) => {
    const name = (word: string): string => `${engine.tag}-${word}`;
    const rmi = async (id: string, ...args: readonly string[]): Promise<string> => {
      const { stdout, stderr } = await engine.docker('rmi', ...args);
      return worded(`${stdout}${stderr}`, id);
    };
    const untagged = (...words: readonly string[]): string =>
      words.map((word) => `Untagged: ${name(word)}\n`).join('');

    await engine.check('by id with names in several repositories: only by force', async (t) => {
      const id = await image(engine, t, name('i:1'), name('i:2'), name('k:1'));
      const refused = `${conflict}unable to delete SHORT (must be forced) - `;
      const why = 'image is referenced in multiple repositories';
      t.equal(await rmi(id, id), refused + why);
      t.equal(await rmi(id, name('k:1')), untagged('k:1').trim());
      t.equal(await rmi(id, id), refused + why);
      t.equal(await rmi(id, '-f', id), `${untagged('i:1', 'i:2')}Deleted: ID\nDeleted: LAYER`);
    });
    await engine.check('by the beginning of its id', async (t) => {
      const id = await image(engine, t, name('i:1'));
      t.equal(await rmi(id, id.slice(7, 15)), `${untagged('i:1')}Deleted: ID\nDeleted: LAYER`);
    });
    await engine.check('what a container at rest uses goes by force alone', async (t) => {
      const id = await image(engine, t, name('i:1'), name('k:1'));
      await engine.docker('create', '--name', name('a'), name('i:1'), 'x');
      t.equal(await rmi(id, name('k:1')), untagged('k:1').trim(), 'a name more is free to go');
      const used = 'image is being used by stopped container C';
      t.equal(await rmi(id, id), `${conflict}unable to delete SHORT (must be forced) - ${used}`);
      t.match(await rmi(id, '-f', id), `${untagged('i:1')}Deleted: ID`);
    });
    await engine.check('what a running container uses stays, even by force', async (t) => {
      await engine.docker('create', '--name', name('m'), engine.image);
      const made = await engine.docker('commit', name('m'), name('r:1'));
      const id = made.stdout.trim();
      await engine.docker('run', '-d', '--name', name('a'), name('r:1'), 'sleep', '60');
      const used = 'image is being used by running container C';
      const refused = `${conflict}unable to delete SHORT (cannot be forced) - ${used}`;
      t.equal(await rmi(id, id), refused);
      t.equal(await rmi(id, '-f', id), refused);
      t.equal(await rmi(id, '-f', name('r:1')), untagged('r:1').trim(), 'its name goes');
      await engine.docker('rm', '-f', name('a'), name('m'));
      t.match(await rmi(id, id), /^Deleted: ID/);
    });
    await checkChildren(engine, rmi);
  },
);

const hasChildren = `${conflict}unable to delete SHORT (cannot be forced) - ` +
  'image has dependent child images';

/** Images that were made of others here. */
async function checkChildren(
  engine: Engine,
  rmi: (id: string, ...args: readonly string[]) => Promise<string>,
): Promise<void> {
  const name = (word: string): string => `${engine.tag}-${word}`;
  const parentOf = async (id: string): Promise<string> =>
    (await engine.docker('inspect', '-f', '{{.Parent}}', id)).stdout.trim();

  await engine.check('what has children stays, and goes with the last of them', async (t) => {
    const id = await image(engine, t, name('i:1'));
    const one = await child(engine, name('i:1'), name('k:1'));
    const other = await child(engine, name('i:1'), name('k:2'));
    t.same([await parentOf(id), await parentOf(one), await parentOf(other)], ['', id, id]);
    t.equal(await rmi(id, id), hasChildren);
    t.equal(await rmi(id, '-f', id), hasChildren, 'not even by force');
    t.equal(await rmi(id, name('i:1')), `Untagged: ${name('i:1')}`, 'its name goes');
    t.equal(await listed(engine, id), 0, 'it is not shown then');
    t.equal(await listed(engine, id, '-f', 'dangling=true'), 0, 'it does not dangle');
    t.equal(await listed(engine, id, '-a'), 1);
    t.equal(await rmi(one, name('k:1')), `Untagged: ${name('k:1')}\nDeleted: ID`);
    const all = `Untagged: ${name('k:2')}\nDeleted: LAYER\nDeleted: ID\nDeleted: LAYER`;
    t.equal(await rmi(id, name('k:2')), all);
    t.equal(await listed(engine, id, '-a'), 0);
  });
  await engine.check('a parent with a name, or asked to stay, stays', async (t) => {
    const id = await image(engine, t, name('i:1'));
    const one = await child(engine, name('i:1'), name('k:1'));
    t.equal(await rmi(one, name('k:1')), `Untagged: ${name('k:1')}\nDeleted: ID`);
    const two = await child(engine, name('i:1'), name('k:1'));
    await rmi(id, name('i:1'));
    t.equal(await rmi(two, '--no-prune', name('k:1')), `Untagged: ${name('k:1')}\nDeleted: ID`);
    t.equal(await listed(engine, id), 1, 'it dangles now');
    t.equal(await rmi(id, id), 'Deleted: ID\nDeleted: LAYER');
  });
  await engine.check('a parent that a container uses stays', async (t) => {
    const id = await image(engine, t, name('i:1'));
    const one = await child(engine, name('i:1'), name('k:1'));
    await engine.docker('create', '--name', name('a'), name('i:1'), 'x');
    t.equal(await rmi(id, '-f', name('i:1')), `Untagged: ${name('i:1')}`);
    t.equal(await rmi(one, name('k:1')), `Untagged: ${name('k:1')}\nDeleted: ID`);
    await engine.docker('rm', name('a'));
    t.equal(await rmi(id, id), 'Deleted: ID\nDeleted: LAYER');
  });
  await engine.check('what was built stands on its base', async (t) => {
    const id = await image(engine, t, name('i:1'));
    const input = `FROM ${name('i:1')}\nLABEL a=b\n`;
    const environment = { DOCKER_BUILDKIT: '0' };
    const args = ['build', '-q', '-t', name('k:1'), '-'];
    const built = await docker(engine.host, args, { input, environment });
    t.equal(await parentOf(built.stdout.trim()), id);
    t.equal(await rmi(id, '-f', id), hasChildren);
    const { stdout } = await engine.docker('history', '-q', '--no-trunc', name('k:1'));
    t.same(stdout.trim().split('\n'), [built.stdout.trim(), id], 'history names both');
    await rmi(id, name('i:1'));
    t.match(await rmi(id, name('k:1')), /Deleted: ID\nDeleted: LAYER$/);
  });
  await engine.check('an archive of both keeps them parent and child', async (t) => {
    const id = await image(engine, t, name('i:1'));
    const one = await child(engine, name('i:1'), name('k:1'));
    const both = `names=${name('k:1')}&names=${name('i:1')}`;
    const archive = (await engine.api.get(`/images/get?${both}`)).bytes;
    await rmi(one, name('k:1'));
    await rmi(id, name('i:1'));
    const loaded = await docker(engine.host, ['load', '-q'], { input: archive });
    t.equal(loaded.code, 0, loaded.stderr);
    t.equal(await parentOf(one), id);
    t.equal(await rmi(id, id), hasChildren);
    await rmi(one, name('k:1'));
    t.match(await rmi(id, name('i:1')), /Deleted: ID/);
  });
  await engine.check('prune leaves what others stand on, and takes it with them', async (t) => {
    const input = tarOf([{ name: 'file', content: randomBytes(8) }]);
    const label = `LABEL ${name('l')}=1`;
    const made = await docker(engine.host, ['import', '-c', label, '-', name('i:1')], { input });
    const id = made.stdout.trim();
    const one = await child(engine, name('i:1'), name('k:1'));
    await rmi(id, name('i:1'));
    const prune = async (): Promise<string> => {
      const only = ['--filter', `label=${name('l')}`];
      const { stdout } = await engine.docker('image', 'prune', '-f', ...only);
      return stdout.replace(/^Total.*/m, '').replaceAll(one, 'CHILD').replaceAll(id, 'ID').trim();
    };
    t.equal(await prune(), '');
    await image(engine, t, name('k:1'));
    const gone = 'Deleted Images:\ndeleted: CHILD\ndeleted: ID\ndeleted: sha256:';
    t.match(await prune(), new RegExp(`^${gone}[0-9a-f]{64}$`));
  });
  await engine.check('each name tells of its end, and each image of its own', async (t) => {
    const id = await image(engine, t, name('i:1'));
    const one = await child(engine, name('i:1'), name('k:1'));
    const soon = (): string => ((Date.now() + 1) / 1000).toFixed(3);
    const since = soon();
    await rmi(id, id);
    await rmi(id, name('i:1'));
    await rmi(one, name('k:1'));
    const { text } = await engine.api.get(`/events?since=${since}&until=${soon()}`);
    const told = text.trim().split('\n').map((line) => JSON.parse(line) as ImageTold);
    const own = told.filter(({ Type, Actor }) => Type === 'image' && [id, one].includes(Actor.ID));
    t.same(
      own.map(({ Action, Actor }) => `${Action} ${Actor.ID === id ? 'parent' : 'child'}`),
      ['untag parent', 'untag child', 'delete child', 'delete parent'],
    );
  });
}

interface ImageTold {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string };
}
