/** `docker diff`, `docker export` and `docker commit`, on containers that run and that rest. */
import { execFileSync } from 'node:child_process';
import tap, { type Test, test } from 'tap';
import { create, output, run } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';

tap.setTimeout(240_000);

const needsRoot = { skip: process.getuid?.() === 0 ? false : 'a daemon that mounts needs root' };

const changing =
  'echo new > /new; rm -r /www; mkdir /www; echo mine > /www/own; rm /bin/top; chmod 700 /root; ' +
  'ln /new /linked; echo host >> /etc/hosts; echo x > /vol/x';

async function begin(t: Test, driver: string): Promise<TestDaemon> {
  const daemon = await startDaemon(t, { flags: ['--storage-driver', driver] });
  await importDemoImage(daemon.api);
  return daemon;
}

/** Makes its changes, then sleeps or ends. */
async function changed(daemon: TestDaemon, then: 'sleep 600' | 'true'): Promise<string> {
  const id = await run(daemon, {
    command: ['sh', '-c', `${changing}; touch /done; ${then}`],
    config: { Env: ['A=1'], Labels: { x: 'y' }, WorkingDir: '/www' },
    host: { Binds: ['data:/vol'] },
  });
  const isDone = async () => {
    const path = `/containers/${id}/archive?path=/done`;
    return (await daemon.api.get(path)).status === 200;
  };
  while (!(await isDone())) await new Promise((resolve) => setTimeout(resolve, 50));
  if (then === 'true') await daemon.api.post(`/containers/${id}/wait`);
  return id;
}

for (const driver of ['overlay', 'vfs']) {
  for (const then of ['sleep 600', 'true'] as const) {
    test(`${driver}: changes and files of a container after ${then}`, needsRoot, async (t) => {
      const daemon = await begin(t, driver);
      const { api } = daemon;
      const none = await create(daemon, { command: ['true'] });
      t.equal((await api.get(`/containers/${none}/changes`)).text, 'null\n');
      const id = await changed(daemon, then);
      const { json } = await api.get(`/containers/${id}/changes`);
      const lines = (json as { Path: string; Kind: number }[]).map(
        ({ Path, Kind }) => `${'CAD'[Kind]} ${Path}`,
      );
      t.strictSame(lines.sort(), [
        'A /done', 'A /linked', 'A /new', 'A /vol', 'A /www/own', 'C /bin', 'C /root', 'C /www',
        'D /bin/top', 'D /www/index.html',
      ]);
      t.equal((await api.get('/containers/nope/changes')).status, 404);

      const answer = await api.get(`/containers/${id}/export`);
      t.equal(answer.status, 200);
      const names = execFileSync('tar', ['-tf', '-'], { input: answer.bytes, encoding: 'utf8' });
      const files = names.split('\n').filter((name) => !name.startsWith('bin/'));
      for (const name of ['new', 'linked', 'www/own', 'etc/passwd', 'vol/', 'proc/', 'dev/'])
        t.ok(files.includes(name), name);
      for (const name of ['vol/x', 'www/index.html', 'proc/1/', 'dev/null'])
        t.notOk(files.includes(name), name);
    });

    test(`${driver}: a commit after ${then}`, needsRoot, async (t) => {
      const daemon = await begin(t, driver);
      const { api } = daemon;
      const id = await changed(daemon, then);
      const query = 'repo=made&tag=t1&comment=words&author=me&changes=ENV%20B=2&changes=' +
        encodeURIComponent('CMD ["cat","/new","/www/own"]');
      const made = await api.post(`/commit?container=${id}&${query}`, {});
      t.equal(made.status, 201, made.text);
      const { json: image } = await api.get('/images/made:t1/json');
      t.match(image, {
        Id: made.json.Id, Author: 'me', Comment: 'words',
        Config: {
          Env: ['A=1', 'B=2'], Cmd: ['cat', '/new', '/www/own'], Labels: { x: 'y' },
          WorkingDir: '/www',
        },
      });
      t.equal(image.RootFS.Layers.length, 2);
      const history = (await api.get('/images/made:t1/history')).json;
      t.match(history, [
        { Id: made.json.Id, Comment: 'words', Tags: ['made:t1'], CreatedBy: /^sh -c echo new/ },
        { Comment: 'Imported from -' },
      ]);
      const state = (await api.get(`/containers/${id}/json`)).json.State;
      t.equal(state.Paused, false, 'it goes on');
      t.equal(state.Running, then !== 'true');

      const body = { Image: 'made:t1' };
      const { json: child } = await api.post('/containers/create', body);
      await api.post(`/containers/${child.Id}/start`);
      await api.post(`/containers/${child.Id}/wait`);
      const log = await api.get(`/containers/${child.Id}/logs?stdout=1&stderr=1`);
      t.match(log.text, /new\n[^]*mine\n/);
      const script = 'ls /bin/top /www/index.html /vol/x /done; cat /etc/hosts | grep -c "^host$"';
      const seen = await output(daemon, {
        command: ['sh', '-c', script], config: { Image: 'made:t1' },
      });
      t.equal(seen.text.split('\n').filter((line) => line.startsWith('/'))[0], '/done');
      t.match(seen.text, /^0$/m, 'a file of the engine\'s is in no layer');

      const saved = await api.get('/images/made:t1/get');
      await api.delete('/images/made:t1?force=1');
      t.equal((await api.get('/images/made:t1/json')).status, 404);
      t.match((await api.post('/images/load', saved.bytes)).text, /Loaded image: made:t1/);
      t.equal((await api.get('/images/made:t1/json')).json.Id, made.json.Id);
    });
  }
}

test('commits in Docker\'s words and events', needsRoot, async (t) => {
  const daemon = await begin(t, 'overlay');
  const { api } = daemon;
  const since = Math.floor(Date.now() / 1000);
  const id = await run(daemon, { command: ['sh', '-c', 'touch /x; sleep 600'] });
  const commit = async (query: string, body: object = {}) => {
    const { status, json } = await api.post(`/commit?${query}`, body);
    return status === 201 ? String(json.Id) : `${status} ${json.message}`;
  };
  t.equal(await commit('container='), '400 invalid name or ID supplied: ""');
  t.equal(await commit('container=nope'), '404 No such container: nope');
  t.match(await commit(`container=${id}&changes=RUN%20x`), /^400 RUN is not a valid change/);
  t.match(await commit(`container=${id}&changes=nonsense`), /^400 nonsense is not a valid/);
  t.match(await commit(`container=${id}&repo=UPPER`), /^400 invalid reference format/);
  const named = await commit(`container=${id}&repo=one`);
  const unpaused = await commit(`container=${id}&repo=two:x&tag=y&pause=0`, { Cmd: ['z'] });
  const nameless = await commit(`container=${id}`);
  t.match(named, /^sha256:/);
  t.match((await api.get(`/images/${unpaused}/json`)).json, { RepoTags: ['two:y'] });
  t.match((await api.get(`/images/${nameless}/json`)).json, { RepoTags: [] });
  const still = await create(daemon, { command: ['true'] });
  const empty = await commit(`container=${still}&repo=empty`);
  t.match((await api.get(`/images/${empty}/json`)).json.RootFS.Layers, { length: 1 });
  const filters = encodeURIComponent(JSON.stringify({ container: [id] }));
  const until = Math.ceil(Date.now() / 1000) + 1;
  const { text } = await api.get(`/events?since=${since}&until=${until}&filters=${filters}`);
  const told = text.trim().split('\n').map((line) => JSON.parse(line) as {
    Action: string; Actor: { Attributes: Record<string, string> };
  });
  const actions = told.map(({ Action }) => Action).filter((action) => action !== 'create');
  const paused = ['pause', 'commit', 'unpause'];
  t.strictSame(actions, ['start', ...paused, 'commit', ...paused]);
  t.match(told.find(({ Action }) => Action === 'commit')?.Actor.Attributes, {
    comment: '', imageID: named, imageRef: 'one:latest', image: 'tsdocker-demo',
  });
});

test('a commit survives the daemon, and its image outlives the container', needsRoot, async (t) => {
  const daemon = await begin(t, 'overlay');
  const { api } = daemon;
  const id = await changed(daemon, 'true');
  const made = await api.post(`/commit?container=${id}&repo=made`, { Cmd: ['cat', '/new'] });
  await daemon.kill9();
  await daemon.start();
  await api.delete(`/containers/${id}?v=1`);
  const config = { Image: 'made' };
  t.equal((await output(daemon, { command: ['cat', '/new'], config })).text, 'new\n');
  t.equal((await api.get('/images/made/json')).json.Id, made.json.Id);
});

test('a name that no layer can hold: listed, exported, refused by a commit', needsRoot, async (t) => {
  const script = 'mkdir /d; echo a > /d/a; echo w > /d/.wh.a; echo o > /d/.wh..wh..opq';
  for (const driver of ['overlay', 'vfs']) {
    const daemon = await begin(t, driver);
    const { api } = daemon;
    const id = await run(daemon, { command: ['sh', '-c', script] });
    await api.post(`/containers/${id}/wait`);
    const { json } = await api.get(`/containers/${id}/changes`);
    const paths = (json as { Path: string }[]).map(({ Path }) => Path);
    t.same(paths.sort(), ['/d', '/d/.wh..wh..opq', '/d/.wh.a', '/d/a'], driver);
    const { bytes } = await api.get(`/containers/${id}/export`);
    const read = (name: string) =>
      execFileSync('tar', ['-xOf', '-', name], { input: bytes, encoding: 'utf8' });
    t.equal(read('d/.wh.a') + read('d/.wh..wh..opq') + read('d/a'), 'w\no\na\n', driver);
    const refused = await api.post(`/commit?container=${id}&repo=lost`, {});
    t.equal(refused.status, 400);
    t.match(refused.json.message, /no layer can hold a name that begins with \.wh\.: "d\/\.wh\./);
    t.equal((await api.get('/images/lost/json')).status, 404);
  }
});
