/** Images mounted in containers, as Docker 28 does it: read only, in use, and there again. */
import tap, { type Test, test } from 'tap';
import type { Mount } from '../../api-spec/index.js';
import { create, output, run, start } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { tarOf } from '../support/tar.js';

tap.setTimeout(180_000);

const needsRoot = { skip: process.getuid?.() === 0 ? false : 'mounts need root' };

/** A daemon with an image `data` of two layers over nothing, and the usual one. */
async function begin(t: Test, driver: string): Promise<TestDaemon> {
  const daemon = await startDaemon(t, { flags: ['--storage-driver', driver] });
  await importDemoImage(daemon.api);
  const low = tarOf([
    { name: 'foo', content: 'bar\n' }, { name: 'gone', content: 'x' },
    { name: 'sub/', type: '5' }, { name: 'sub/hello', content: 'world\n' },
    { name: 'good', type: '2', link: 'sub' },
    { name: 'bad', type: '2', link: '../../../../etc/passwd' },
  ]);
  await daemon.api.post('/images/create?fromSrc=-&repo=low', low);
  const body = { Image: 'low', Cmd: ['none'] };
  const { json } = await daemon.api.post('/containers/create', body);
  const more = tarOf([{ name: 'more', content: 'higher\n' }]);
  await daemon.api.put(`/containers/${json.Id}/archive?path=/`, more);
  const made = await daemon.api.post(`/commit?container=${json.Id}&repo=data`, {});
  t.equal(made.status, 201, made.text);
  await daemon.api.delete(`/containers/${json.Id}`);
  await daemon.api.delete('/images/low');
  return daemon;
}

const imageAt = (Target: string, Subpath?: string): Mount => ({
  Type: 'image', Source: 'data', Target,
  ...(Subpath === undefined ? {} : { ImageOptions: { Subpath } }),
});

for (const driver of ['overlay', 'vfs']) {
  test(`${driver}: an image is seen, whole or in part, and nobody writes to it`, needsRoot,
    async (t) => {
      const daemon = await begin(t, driver);
      const Mounts = [
        imageAt('/all'), imageAt('/again'), imageAt('/sub', 'sub'), imageAt('/link', 'good'),
        imageAt('/file', 'sub/hello'),
      ];
      const script = 'cat /all/foo /all/more /again/sub/hello /sub/hello /link/hello /file; ' +
        'touch /all/x /sub/x 2>&1; echo y 2>&1 > /file; ls /all';
      const seen = await output(daemon, { command: ['sh', '-c', script], host: { Mounts } });
      const readonly = 'Read-only file system';
      t.match(seen.text, [
        'bar', 'higher', 'world', 'world', 'world', 'world',
        `touch: /all/x: ${readonly}`, `touch: /sub/x: ${readonly}`,
      ].join('\n'));
      t.match(seen.text, new RegExp(`can't create /file: ${readonly}`));
      const listed = seen.text.trim().split('\n').slice(-6).map((line) => line.trim());
      t.strictSame(listed.filter((name) => /^\w+$/.test(name)).sort(), [
        'bad', 'foo', 'gone', 'good', 'more', 'sub',
      ], 'nothing of the engine\'s is in it');
    });
}

test('what is wrong is refused in Docker\'s words', needsRoot, async (t) => {
  const daemon = await begin(t, 'overlay');
  const refusal = async (mount: Mount, version = ''): Promise<string> => {
    const body = { Image: 'tsdocker-demo', HostConfig: { Mounts: [mount] } };
    const { status, json } = await daemon.api.post(`${version}/containers/create`, body);
    return `${status} ${json.message}`;
  };
  const config = '400 invalid mount config for type "image": ';
  t.equal(await refusal(imageAt('/m'), '/v1.47'), `${config}mount type unknown`);
  t.equal(
    await refusal({ Type: 'image', Target: '/m' }), `${config}field Source must not be empty`);
  t.equal(
    await refusal(imageAt('/m', '../../etc/passwd')),
    `${config}subpath must be a relative path within the volume`,
  );
  t.equal(
    await refusal({ Type: 'image', Source: 'nope', Target: '/m' }),
    '404 No such image: nope:latest',
  );
  t.match(
    await refusal({ ...imageAt('/m'), VolumeOptions: {} }),
    /^400 VolumeOptions must not be specified/,
  );
  for (const subpath of ['nope', 'bad', 'foo/x']) {
    const id = await create(daemon, {
      command: ['true'], host: { Mounts: [imageAt('/m', subpath)] },
    });
    const { status, json } = await daemon.api.post(`/containers/${id}/start`);
    t.match(`${status} ${json.message}`, /^404 cannot access path .*: no such file or directory$/);
  }
});

test('it is in use, and outlives its name', needsRoot, async (t) => {
  const daemon = await begin(t, 'overlay');
  const { api } = daemon;
  const { Id: imageId } = (await api.get('/images/data/json')).json;
  const Mounts = [imageAt('/m')];
  const command = ['sh', '-c', 'cat /m/foo /m/more; sleep 600'];
  const id = await run(daemon, { command, host: { Mounts } });
  const short = String(imageId).slice(7, 19);
  const using = new RegExp(`container ${id.slice(0, 12)} is using its referenced image ${short}`);
  t.match(await api.delete('/images/data'), { status: 409, json: { message: using } });
  t.match((await api.get(`/containers/${id}/json`)).json.Mounts, [
    { Type: 'image', Name: 'data', Destination: '/m', Mode: '', RW: false, Propagation: '' },
  ]);
  await api.post('/images/prune?filters=%7B%22dangling%22%3A%5B%22false%22%5D%7D');
  t.equal((await api.get('/images/data/json')).status, 200, 'a prune leaves it');
  await api.post(`/containers/${id}/stop?t=0`);
  t.equal((await api.delete('/images/data?force=1')).status, 200);
  await start(daemon, id);
  const taken = await run(daemon, {
    command: ['cat', '/m/more'], host: { VolumesFrom: [id] },
  });
  await api.post(`/containers/${taken}/wait`);
  t.match((await api.get(`/containers/${taken}/logs?stdout=1`)).text, 'higher');
  await api.post(`/containers/${id}/stop?t=0`);
  t.match((await api.get(`/containers/${id}/archive?path=/m/more`)).text, 'higher');
  await api.delete(`/containers/${taken}`);
  await api.delete(`/containers/${id}`);
  await daemon.stop();
  await daemon.start();
  t.match(daemon.log(), /recovered/);
});

test('of a volume or image that is taken over no more is seen', needsRoot, async (t) => {
  const daemon = await begin(t, 'overlay');
  const fill = 'mkdir -p /v/sub; echo in > /v/sub/in; echo out > /v/out';
  await output(daemon, { command: ['sh', '-c', fill], host: { Binds: ['data:/v'] } });
  const whole: Mount = { Type: 'volume', Source: 'data', Target: '/v' };
  const part = { ...whole, VolumeOptions: { Subpath: 'sub' } };
  const first = await create(daemon, {
    command: ['true'], host: { Mounts: [part, imageAt('/m', 'sub')] },
  });
  const second = await create(daemon, { command: ['true'], host: { VolumesFrom: [first] } });
  const look = async (host: object): Promise<string> =>
    (await output(daemon, { command: ['ls', '/v', '/m'], host })).text.replace(/\s+/g, ' ');
  t.equal(await look({ VolumesFrom: [second] }), '/m: hello /v: in ');
  t.equal(
    await look({ VolumesFrom: [second], Mounts: [whole] }), '/m: hello /v: out sub ',
    'what is asked for itself counts',
  );
});

test('a daemon that was killed finds all of it again', needsRoot, async (t) => {
  const daemon = await begin(t, 'overlay');
  const { api } = daemon;
  const Mounts = [imageAt('/m'), imageAt('/m/sub/hello', 'foo')];
  const command = ['sh', '-c', 'while ! [ -e /go ]; do sleep 0.1; done; cat /m/foo /m/sub/hello'];
  const id = await run(daemon, { command, host: { Mounts } });
  await daemon.kill9();
  await daemon.start();
  t.equal((await api.delete('/images/data')).status, 409, 'it is still in use');
  const live = await api.get(`/containers/${id}/archive?path=/m/sub`);
  t.match(live.text, 'bar', 'a mount in a mount');
  await api.put(`/containers/${id}/archive?path=/`, tarOf([{ name: 'go', content: '' }]));
  await api.post(`/containers/${id}/wait`);
  t.match((await api.get(`/containers/${id}/logs?stdout=1`)).text, /bar\n[^]*bar\n/);
  const put = tarOf([{ name: 'x', content: 'x' }]);
  t.match(await api.put(`/containers/${id}/archive?path=/m`, put), {
    status: 403, json: { message: 'mounted volume is marked read-only' },
  });
  t.match((await api.get(`/containers/${id}/archive?path=/m/sub`)).text, 'bar', 'at rest too');
  await api.delete(`/containers/${id}`);
  t.equal((await api.delete('/images/data')).status, 200);
});
