/**
 * Runs on a machine whose power is cut (see `test/kernels/power-cut.test.ts`): starts the daemon on
 * the disk, tells in one line of JSON what is there and whether it is whole, and then changes
 * images, containers and volumes for ever, telling before and after each answer.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ContainerSummary, ImageSummary, VolumeListResponse } from '../../api-spec/index.js';
import type { Descriptor } from '../../daemon/content/index.js';
import { demoRootfs } from './demo-image.js';
import { engineApi, type EngineApi } from './engine-api.js';
import { buildImage, digest } from './image-builder.js';
import { startLyingRegistry, type LyingRegistry } from './lying-registry.js';
import { tarOf } from './tar.js';

/** What the machine prints. */
export type PowerLine =
  /** After its start: names of all there is, and what of it is broken. */
  | { readonly is: 'found'; readonly names: readonly string[]; readonly broken: readonly string[] }
  /** A change is asked for, or was answered: afterwards these names exist, or do not. */
  | { readonly is: 'asked' | 'answered'; readonly name: string; readonly exists: boolean };

const program = fileURLToPath(new URL('../../daemon/tsdockerd.cjs', import.meta.url));
const startTimeoutMs = 60_000;
const maxImages = 3;
const dataBytes = 1_500_000;

const say = (line: PowerLine): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

async function startEngine(): Promise<EngineApi> {
  mkdirSync('/mnt/disk', { recursive: true });
  execFileSync('mount', ['-t', 'ext4', '/dev/ubda', '/mnt/disk']);
  const child = spawn(
    process.execPath,
    [
      program, '--data-root', '/mnt/disk/data', '--exec-root', '/run/engine', '--bridge', 'none',
      '-H', 'unix:///run/engine.sock', '--pidfile', '/run/engine.pid',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  const api = engineApi('/run/engine.sock');
  for (const deadline = Date.now() + startTimeoutMs; ; await pause(50)) {
    const isUp = await api.get('/_ping').then(({ status }) => status === 200, () => false);
    if (isUp) return api;
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`no engine: ${log}`);
  }
}

/** What a name stands for, and whether it is whole. */
async function look(api: EngineApi): Promise<PowerLine> {
  // Of the API's own shape, as all these answers are.
  const listed = (await api.get('/images/json')).json as readonly ImageSummary[];
  const images = listed.flatMap(({ RepoTags }) => RepoTags);
  const made = (await api.get('/containers/json?all=1')).json as readonly ContainerSummary[];
  const { Volumes: volumes } = (await api.get('/volumes')).json as VolumeListResponse;
  const broken: string[] = [];
  for (const image of images) {
    const complaint = await runsWhole(api, image);
    if (complaint !== '') broken.push(`${image}: ${complaint}`);
  }
  const names = [
    ...images.map((name) => `image ${name}`),
    ...made.map(({ Names }) => `container ${Names[0]?.slice(1) ?? ''}`),
    ...volumes.map(({ Name }) => `volume ${Name}`),
  ];
  broken.push(...brokenIndex(images));
  return { is: 'found', names, broken };
}

/** A container of it finds its file as it was packed; empty when it does. */
async function runsWhole(api: EngineApi, image: string): Promise<string> {
  const { json: found } = await api.get(`/images/${image}/json`);
  const sum = String(found.Config.Labels?.sum);
  const made = await api.post('/containers/create', {
    Image: image,
    Cmd: ['/bin/sh', '-c', `echo "${sum}  /data" | sha256sum -c`],
    HostConfig: { NetworkMode: 'none' },
  });
  if (made.status !== 201) return made.text;
  const { Id: id } = made.json;
  const started = await api.post(`/containers/${id}/start`);
  const ended = started.status === 204 ? await api.post(`/containers/${id}/wait`) : started;
  await api.delete(`/containers/${id}?force=1`);
  return ended.json?.StatusCode === 0 ? '' : ended.text;
}

/** The OCI layout names exactly the tags, and its blobs are there and right. */
function brokenIndex(images: readonly string[]): readonly string[] {
  const layout = '/mnt/disk/data/image';
  // Written by the engine in this shape.
  const { manifests } = JSON.parse(readFileSync(`${layout}/index.json`, 'utf8')) as {
    readonly manifests: readonly Descriptor[];
  };
  const key = 'org.opencontainers.image.ref.name';
  // Without a name: an image that lost its last tag while a container was made from it.
  const named = manifests.flatMap(({ annotations }) => annotations?.[key] ?? []);
  const familiar = named.map((name) => name.replace('docker.io/library/', '')).sort();
  const broken = familiar.join() === [...images].sort().join() ? [] : [`index ${named.join()}`];
  for (const { digest: blob } of manifests) {
    const bytes = readFileSync(`${layout}/blobs/sha256/${blob.slice(7)}`);
    if (digest(bytes) !== blob) broken.push(`blob ${blob}`);
  }
  return broken;
}

const base = demoRootfs();

/** busybox and one file of random bytes, whose sum is a label. */
function randomImage() {
  const { sum, archive } = randomFile();
  return buildImage([base, archive], { config: { Labels: { sum }, Cmd: ['/bin/sh'] } });
}

interface World {
  readonly api: EngineApi;
  readonly registry: LyingRegistry;
  readonly images: string[];
  serial: number;
}

/** Says that it asks, asks, and says that it was answered. */
async function change(
  { api }: World,
  name: string,
  wish: { readonly exists: boolean; readonly path: string; readonly body?: unknown },
): Promise<void> {
  const { exists, path, body } = wish;
  say({ is: 'asked', name, exists });
  const answer = await (exists ? api.post(path, body) : api.delete(path));
  if (answer.status >= 300 || answer.text.includes('"error"')) {
    throw new Error(`${name}: ${answer.status} ${answer.text}`);
  }
  say({ is: 'answered', name, exists });
}

async function load(world: World): Promise<void> {
  const name = `loaded:${world.serial}`;
  const image = randomImage();
  const layers = image.tars.map((_, height) => `${height}.tar`);
  const archive = tarOf([
    ...image.tars.map((content, height) => ({ name: `${height}.tar`, content })),
    { name: 'config.json', content: image.config },
    {
      name: 'manifest.json',
      content: JSON.stringify([{ Config: 'config.json', RepoTags: [name], Layers: layers }]),
    },
  ]);
  await change(world, `image ${name}`, { exists: true, path: '/images/load', body: archive });
  world.images.push(name);
}

async function pull(world: World): Promise<void> {
  const { registry, serial } = world;
  registry.serve('pulled', String(serial), randomImage());
  const name = `${registry.host}/pulled:${serial}`;
  const path = `/images/create?fromImage=${registry.host}/pulled&tag=${serial}`;
  await change(world, `image ${name}`, { exists: true, path });
  world.images.push(name);
}

/** A file of random bytes as an archive, and its sum. */
function randomFile(): { readonly sum: string; readonly archive: Buffer; readonly data: Buffer } {
  const data = randomBytes(dataBytes);
  const sum = createHash('sha256').update(data).digest('hex');
  return { sum, data, archive: tarOf([{ name: 'data', content: data }]) };
}

async function commit(world: World): Promise<void> {
  const { api, serial } = world;
  const { sum, archive } = randomFile();
  const HostConfig = { NetworkMode: 'none' };
  const made = await api.post('/containers/create', { Image: world.images.at(-1), HostConfig });
  const { Id: id } = made.json;
  const put = await api.put(`/containers/${id}/archive?path=/`, archive);
  if (put.status !== 200) throw new Error(`archive: ${put.status} ${put.text}`);
  const name = `committed:${serial}`;
  const changes = encodeURIComponent(`LABEL sum=${sum}`);
  const path = `/commit?container=${id}&repo=committed&tag=${serial}&changes=${changes}`;
  await change(world, `image ${name}`, { exists: true, path, body: {} });
  world.images.push(name);
  await api.delete(`/containers/${id}`);
}

/** One layer that is copied, and one that a container makes. */
async function build(world: World): Promise<void> {
  const { sum, data } = randomFile();
  const dockerfile =
    `FROM ${world.images.at(-1)}\nCOPY data /new\nRUN cp /new /data\nLABEL sum=${sum}\n`;
  const body = tarOf([
    { name: 'Dockerfile', content: dockerfile },
    { name: 'data', content: data },
  ]);
  const name = `built:${world.serial}`;
  const path = `/build?t=${name}&networkmode=none`;
  await change(world, `image ${name}`, { exists: true, path, body });
  world.images.push(name);
}

async function tag(world: World): Promise<void> {
  const [first] = world.images;
  const name = `tagged:${world.serial}`;
  const path = `/images/${first}/tag?repo=tagged&tag=${world.serial}`;
  await change(world, `image ${name}`, { exists: true, path });
  world.images.push(name);
}

async function untag(world: World): Promise<void> {
  const name = world.images.shift() ?? '';
  await change(world, `image ${name}`, { exists: false, path: `/images/${name}?force=1` });
}

async function container(world: World): Promise<void> {
  const name = `c${world.serial}`;
  const body = { Image: world.images.at(-1), HostConfig: { NetworkMode: 'none' } };
  const path = `/containers/create?name=${name}`;
  await change(world, `container ${name}`, { exists: true, path, body });
  if (world.serial % 2 === 0) return;
  await change(world, `container ${name}`, { exists: false, path: `/containers/${name}` });
}

async function volume(world: World): Promise<void> {
  const name = `v${world.serial}`;
  const body = { Name: name };
  await change(world, `volume ${name}`, { exists: true, path: '/volumes/create', body });
}

const verbs = [load, pull, commit, build, tag, container, volume, load, build, untag];

async function main(): Promise<void> {
  const api = await startEngine();
  const found = await look(api);
  say(found);
  const names = found.is === 'found' ? found.names : [];
  const images = names.filter((name) => name.startsWith('image '));
  const world: World = {
    api,
    registry: await startLyingRegistry(),
    images: images.map((name) => name.slice('image '.length)),
    serial: Date.now() % 1_000_000_000,
  };
  for (;;) {
    world.serial += 1;
    const isEmpty = world.images.length === 0;
    const isFull = world.images.length > maxImages;
    const verb = isEmpty ? load : verbs[Math.floor(Math.random() * verbs.length)];
    await (isFull ? untag : (verb ?? load))(world);
  }
}

await main();
