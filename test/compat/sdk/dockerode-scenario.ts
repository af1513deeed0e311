/** What programs do with dockerode. Run by node-sdks.test.ts, in the network of the engine. */
import { strict as assert } from 'node:assert';
import { PassThrough, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import Docker from 'dockerode';
import { removeNamed } from '../../support/compat.js';
import { engineApi } from '../../support/engine-api.js';
import { scenarioWorld, tellChecks } from '../../support/scenario-checks.js';
import { tarOf } from '../../support/tar.js';

const { tag, image, socket } = scenarioWorld();
const docker = new Docker({ socketPath: socket });
const api = engineApi(socket);
const name = (suffix: string): string => `${tag}-${suffix}`;

async function started(options: Docker.ContainerCreateOptions = {}): Promise<Docker.Container> {
  const container = await docker.createContainer({
    Image: image, name: name('a'), Cmd: ['sleep', '600'], ...options,
  });
  await container.start();
  return container;
}

/** Both streams of a framed one, once it has ended. */
async function demuxed(stream: NodeJS.ReadableStream): Promise<readonly [string, string]> {
  const [out, err] = [new PassThrough(), new PassThrough()];
  docker.modem.demuxStream(stream, out, err);
  stream.once('end', () => {
    out.end();
    err.end();
  });
  return [await text(out), await text(err)];
}

async function execute(container: Docker.Container, options: Docker.ExecCreateOptions) {
  const exec = await container.exec({ AttachStdout: true, AttachStderr: true, ...options });
  const [out, err] = await demuxed(await exec.start({}));
  const { ExitCode, Running } = await exec.inspect();
  return { out, err, ExitCode, Running };
}

interface BuildLine {
  readonly stream?: string;
  readonly error?: string;
  readonly aux?: { readonly ID?: string };
}

/** All lines of a build, its error among them. */
function followed(stream: NodeJS.ReadableStream): Promise<readonly BuildLine[]> {
  return new Promise((resolve, reject) => {
    docker.modem.followProgress(stream, (error, lines) =>
      error === null ? resolve(lines as BuildLine[]) : reject(error),
    );
  });
}

const failure = (statusCode: number, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Error && 'statusCode' in error);
  assert.equal(error.statusCode, statusCode);
  assert.match(error.message, message);
  return true;
};

await tellChecks({
  'dockerode: ping, version, info': async () => {
    assert.equal(String(await docker.ping()), 'OK');
    assert.match((await docker.version()).ApiVersion, /^1\.\d+$/);
    assert.equal((await docker.info()).OSType, 'linux');
  },
  'dockerode: buildImage from an archive, its progress followed': async () => {
    const files = tarOf([
      { name: 'Dockerfile', content: `FROM ${image}\nARG WHO\nCOPY f /f\nRUN echo $WHO >> /f\n` },
      { name: 'f', content: 'file ' },
    ]);
    const options = {
      t: name('built'), buildargs: { WHO: 'me' }, labels: { x: 'y' }, nocache: true,
    };
    const stream = await docker.buildImage(Readable.from([files]), options);
    const lines = await followed(stream);
    const steps = lines.map((line) => line.stream ?? '').join('');
    assert.match(steps, /Step 1\/5 : FROM [^]*Successfully built \w{12}\nSuccessfully tagged /);
    assert.ok(lines.some((line) => /^sha256:/.test(line.aux?.ID ?? '')));
    const found = docker.getImage(name('built'));
    assert.deepEqual((await found.inspect()).Config.Labels, { x: 'y' });
    const out = new PassThrough();
    const said = text(out);
    await docker.run(name('built'), ['cat', '/f'], out, { name: name('a') });
    assert.equal(await said, 'file me\r\n');
    await docker.getContainer(name('a')).remove();
    await found.remove({ force: true });
  },
  'dockerode: a build that fails says so in its stream': async () => {
    const files = tarOf([{ name: 'Dockerfile', content: `FROM ${image}\nRUN exit 3\n` }]);
    const stream = await docker.buildImage(Readable.from([files]), { forcerm: true });
    const { error = '' } = (await followed(stream)).at(-1) ?? {};
    assert.match(error, /returned a non-zero code: 3/);
    const wrong = tarOf([{ name: 'Dockerfile', content: 'NOPE\n' }]);
    await assert.rejects(
      docker.buildImage(Readable.from([wrong])),
      failure(400, /dockerfile parse error on line 1: unknown instruction: NOPE/),
    );
  },
  'dockerode: run pipes the output and gives the status': async () => {
    const out = new PassThrough();
    const [{ StatusCode }] = await docker.run(
      image, ['sh', '-c', 'echo hello; exit 3'], out, { name: name('a') });
    assert.equal(StatusCode, 3);
    assert.match(await text(out), /hello\r?\n/);
  },
  'dockerode: create, start, inspect, stop, remove': async () => {
    const container = await started({ Labels: { a: 'b' } });
    assert.equal((await container.inspect()).State.Running, true);
    await container.stop({ t: 0 });
    assert.equal((await container.inspect()).State.Status, 'exited');
    await container.remove();
    await assert.rejects(container.inspect(), failure(404, /No such container: /));
  },
  'dockerode: start of a started one is a 304': async () => {
    const container = await started();
    await assert.rejects(container.start(), failure(304, /(?:)/));
    await container.kill();
    await container.wait();
    await assert.rejects(container.stop(), failure(304, /(?:)/));
  },
  'dockerode: list with filters as objects': async () => {
    const container = await started({ Labels: { compat: tag } });
    const found = await docker.listContainers({ filters: { label: [`compat=${tag}`] } });
    assert.deepEqual(found.map(({ Id }) => Id), [container.id]);
  },
  'dockerode: wait registers before the start': async () => {
    const container = await docker.createContainer({
      Image: image, name: name('a'), Cmd: ['sh', '-c', 'exit 4'],
    });
    const ended = container.wait({ condition: 'next-exit' });
    await container.start();
    assert.equal((await ended).StatusCode, 4);
  },
  'dockerode: attach with standard input, hijacked': async () => {
    const container = await docker.createContainer({
      Image: image, name: name('a'), Cmd: ['cat'], OpenStdin: true, StdinOnce: true,
    });
    const stream = await container.attach({
      stream: true, stdin: true, stdout: true, stderr: true, hijack: true,
    });
    await container.start();
    stream.write('typed\n');
    stream.end();
    assert.deepEqual(await demuxed(stream), ['typed\n', '']);
  },
  'dockerode: logs at once and followed': async () => {
    const container = await started({ Cmd: ['sh', '-c', 'echo o; echo e >&2'] });
    await container.wait();
    const logs = await container.logs({ stdout: true, stderr: true });
    // Of two streams either may be the first in Docker's log.
    assert.match(logs.toString('latin1'), /\x01\0{6}\x02o\n/);
    assert.match(logs.toString('latin1'), /\x02\0{6}\x02e\n/);
    const follow = await container.logs({ stdout: true, stderr: true, follow: true });
    assert.deepEqual(await demuxed(follow), ['o\n', 'e\n']);
  },
  'dockerode: exec gives both streams and the status': async () => {
    const container = await started();
    const script = 'echo o; echo e >&2; exit 7';
    assert.deepEqual(await execute(container, { Cmd: ['sh', '-c', script] }),
      { out: 'o\n', err: 'e\n', ExitCode: 7, Running: false });
  },
  'dockerode: exec with standard input, hijacked': async () => {
    const container = await started();
    const exec = await container.exec({
      Cmd: ['cat'], AttachStdin: true, AttachStdout: true, AttachStderr: true,
    });
    const stream = await exec.start({ hijack: true, stdin: true });
    stream.write('typed\n');
    stream.end();
    assert.deepEqual(await demuxed(stream), ['typed\n', '']);
  },
  'dockerode: exec of a terminal, resized': async () => {
    const container = await started();
    const exec = await container.exec({
      Cmd: ['sh', '-c', 'sleep 0.3; stty size'], AttachStdout: true, Tty: true,
    });
    const stream = await exec.start({ Tty: true });
    await exec.resize({ h: 40, w: 100 });
    assert.match(await text(stream), /40 100/);
  },
  'dockerode: putArchive and getArchive': async () => {
    const container = await docker.createContainer({ Image: image, name: name('a') });
    const sent = tarOf([{ name: 'f', mode: 0o644, content: 'in' }]);
    await container.putArchive(sent, { path: '/tmp' });
    const tar = await buffer(await container.getArchive({ path: '/tmp/f' }));
    assert.match(tar.toString('latin1'), /^f\0[^]*in\0/);
    const stat: unknown = await container.infoArchive({ path: '/tmp/f' });
    assert.ok(stat);
    await assert.rejects(container.getArchive({ path: '/none' }), failure(404, /Could not find/));
  },
  'dockerode: stats and top': async () => {
    const container = await started();
    const stats = await container.stats({ stream: false });
    assert.ok(stats.memory_stats.usage > 0 && stats.precpu_stats.cpu_usage.total_usage >= 0);
    const { Processes }: { readonly Processes: string[][] } = await container.top();
    assert.equal(Processes[0]?.at(-1), 'sleep 600');
  },
  'dockerode: rename, pause, update, restart': async () => {
    const container = await started({ HostConfig: { Memory: 64 * 2 ** 20 } });
    await container.rename({ name: name('b') });
    await container.pause();
    assert.equal((await container.inspect()).State.Paused, true);
    await container.unpause();
    await container.update({ Memory: 96 * 2 ** 20, MemorySwap: 128 * 2 ** 20 });
    await container.restart({ t: 0 });
    const { Name, HostConfig } = await container.inspect();
    assert.deepEqual([Name, HostConfig.Memory], [`/${name('b')}`, 96 * 2 ** 20]);
  },
  'dockerode: events': async () => {
    const events = await docker.getEvents({ filters: { volume: [name('v')] } });
    const first = new Promise<Buffer>((resolve) => events.once('data', resolve));
    await docker.createVolume({ Name: name('v') });
    assert.match(String(await first), /"Action":"create"/);
    events.removeAllListeners();
  },
  'dockerode: volumes': async () => {
    await docker.createVolume({ Name: name('v'), Labels: { a: 'b' } });
    const volume = docker.getVolume(name('v'));
    assert.deepEqual((await volume.inspect()).Labels, { a: 'b' });
    await volume.remove();
    await assert.rejects(volume.inspect(), failure(404, /no such volume/));
  },
  'dockerode: networks': async () => {
    const network = await docker.createNetwork({ Name: name('n'), CheckDuplicate: true });
    const container = await started();
    await network.connect({ Container: container.id, EndpointConfig: { Aliases: ['web'] } });
    const inspected = await network.inspect();
    assert.deepEqual(Object.keys(inspected.Containers ?? {}), [container.id]);
    await assert.rejects(network.remove(), failure(403, /has active endpoints/));
    await network.disconnect({ Container: container.id });
    await network.remove();
  },
  'dockerode: images': async () => {
    await docker.getImage(image).tag({ repo: name('i'), tag: '1' });
    const tagged = docker.getImage(`${name('i')}:1`);
    const { Id } = await tagged.inspect();
    assert.equal((await tagged.history())[0]?.Id, Id);
    const saved = await buffer(await tagged.get());
    await tagged.remove();
    await assert.rejects(tagged.inspect(), failure(404, /no such image/i));
    // Its types say that there is no answer when there is no callback.
    const told = (await docker.loadImage(Readable.from([saved]))) as unknown as Readable;
    assert.match(await text(told), /Loaded image: /);
    const listed = await docker.listImages({ filters: { reference: [name('i')] } });
    assert.deepEqual(listed.map((found) => found.Id), [Id]);
    await docker.getImage(`${name('i')}:1`).remove();
  },
  'dockerode: a name that is taken, an image that is not there': async () => {
    await started();
    await assert.rejects(started(), failure(409, /is already in use by container/));
    await assert.rejects(docker.createContainer({ Image: 'no-such' }),
      failure(404, /No such image: no-such:latest/));
  },
  'dockerode: prune by label': async () => {
    const labels = { [tag]: '1' };
    const { id } = await docker.createContainer({ Image: image, Labels: labels });
    const pruned = await docker.pruneContainers({ filters: { label: [tag] } });
    assert.deepEqual(pruned.ContainersDeleted, [id]);
  },
  'Ryuk: what has a session’s label is found and removed, retried and tolerated': async () => {
    const labels = { 'org.testcontainers': 'true', 'org.testcontainers.session-id': tag };
    const filters = JSON.stringify({ label: { [`org.testcontainers.session-id=${tag}`]: true } });
    const query = `filters=${encodeURIComponent(filters)}`;
    const v = '/v1.45';
    await docker.createNetwork({ Name: name('n'), Labels: labels });
    await docker.createVolume({ Name: name('v'), Labels: labels });
    const { id } = await started({
      Labels: labels, HostConfig: { NetworkMode: name('n'), Binds: [`${name('v')}:/x`] },
    });
    assert.equal((await api.get('/_ping')).status, 200);
    const containers = (await api.get(`${v}/containers/json?all=1&${query}`)).json;
    const networks = (await api.get(`${v}/networks?${query}`)).json;
    const volumes = (await api.get(`${v}/volumes?${query}`)).json.Volumes;
    const images = (await api.get(`${v}/images/json?${query}`)).json;
    assert.deepEqual([containers.length, containers[0].Id], [1, id]);
    // It leaves alone what is newer than its own beginning: seconds here, RFC 3339 there.
    assert.ok(Math.abs(containers[0].Created - Date.now() / 1000) < 120);
    assert.ok(Math.abs(Date.parse(networks[0].Created) - Date.now()) < 120_000);
    assert.ok(Math.abs(Date.parse(volumes[0].CreatedAt) - Date.now()) < 120_000);
    assert.deepEqual(images, []);
    // In use at first: told as such, and tried again.
    assert.equal((await api.delete(`${v}/networks/${networks[0].Id}`)).status, 403);
    assert.equal((await api.delete(`${v}/volumes/${name('v')}?force=1`)).status, 409);
    assert.equal((await api.delete(`${v}/containers/${id}?force=1&v=1`)).status, 204);
    assert.equal((await api.delete(`${v}/containers/${id}?force=1&v=1`)).status, 404);
    assert.equal((await api.delete(`${v}/networks/${networks[0].Id}`)).status, 204);
    assert.equal((await api.delete(`${v}/networks/${networks[0].Id}`)).status, 404);
    assert.equal((await api.delete(`${v}/volumes/${name('v')}?force=1`)).status, 204);
    assert.equal((await api.delete(`${v}/volumes/${name('v')}?force=1`)).status, 204);
    await sleep(0);
  },
}, () => removeNamed(api, tag));
process.exit(0);
