/** One engine with the things that requests are about, under the same names on both engines. */
import { exchange, type WireAnswer } from './exchange.js';
import { fill, type Names } from './normalise.js';
import type { Request, Stage } from './request.js';
import { until } from '../../support/containers.js';
import { demoRootfs } from '../../support/demo-image.js';
import { engineApi, type Answer, type EngineApi } from '../../support/engine-api.js';

/** The version under which both are asked. */
const apiVersion = '1.45';

/** An engine, set up. */
export interface Scene {
  /** What stands in requests for this engine's own. */
  readonly names: Record<string, string>;
  /** Sends one request of a case. */
  send(request: Request): Promise<WireAnswer>;
  /** Makes the container `{own}` of a case. */
  makeOwn(stage: Stage): Promise<void>;
  /** Removes what a case made. */
  clear(): Promise<void>;
  /** Removes everything. */
  close(): Promise<void>;
}

/** What containers of the scene run: it obeys SIGTERM at once. */
const longCommand = ['sh', '-c',
  'trap "exit 7" TERM; echo out; sleep 0.1; echo err >&2; while :; do sleep 0.1; done'];

/** What a create's body begins with. */
export const baseBody = { Image: 'tsdiff:1', Cmd: longCommand } as const;

/** Every name of the scene begins with it. */
const prefix = 'tsdiff-';

const stageOf: Readonly<Record<string, Stage>> = {
  created: 'created', running: 'running', paused: 'paused', exited: 'exited',
};

function demand(answer: Answer, what: string): Answer {
  if (answer.status < 400) return answer;
  throw new Error(`${what}: ${answer.status} ${answer.text}`);
}

async function makeContainer(api: EngineApi, name: string, stage: Stage): Promise<string> {
  const command = stage === 'exited' ? ['sh', '-c',
    'echo out; sleep 0.1; echo err >&2; exit 3'] : longCommand;
  const body = { ...baseBody, Cmd: command, Labels: { tsdiff: name } };
  const { json } = demand(await api.post(`/v1.45/containers/create?name=${name}`, body), name);
  const { Id: id } = json as { readonly Id: string };
  if (stage === 'created') return id;
  demand(await api.post(`/containers/${id}/start`), `start of ${name}`);
  if (stage === 'exited') demand(await api.post(`/containers/${id}/wait`), `wait for ${name}`);
  // One that is paused before its first word has none.
  const log = `/containers/${id}/logs?stdout=1`;
  await until(`${name} has spoken`, async () => (await api.get(log)).text !== '');
  if (stage === 'paused') demand(await api.post(`/containers/${id}/pause`), `pause of ${name}`);
  return id;
}

async function removeAll(api: EngineApi, keep: ReadonlySet<string>): Promise<void> {
  const filter = `filters=${encodeURIComponent(JSON.stringify({ name: [prefix] }))}`;
  const { json } = await api.get(`/containers/json?all=1&${filter}`);
  for (const { Id: id } of json as readonly { readonly Id: string }[])
    if (!keep.has(id)) await api.delete(`/containers/${id}?force=1&v=1`);
}

async function removeRest(api: EngineApi, keep: ReadonlySet<string>): Promise<void> {
  const filter = `filters=${encodeURIComponent(JSON.stringify({ name: [prefix] }))}`;
  const networks = (await api.get(`/networks?${filter}`)).json as readonly { Name: string }[];
  for (const { Name: name } of networks)
    if (!keep.has(name)) await api.delete(`/networks/${encodeURIComponent(name)}`);
  const { Volumes: volumes } = (await api.get(`/volumes?${filter}`)).json as {
    readonly Volumes: readonly { readonly Name: string }[] | null;
  };
  for (const { Name: name } of volumes ?? [])
    if (!keep.has(name)) await api.delete(`/volumes/${name}?force=1`);
}

/** What `POST /commit` made of the scene's containers, whose labels it has, and further names. */
async function removeMade(api: EngineApi): Promise<void> {
  for (const wanted of [{ label: ['tsdiff'] }, { reference: [`${prefix}*`] }]) {
    const filter = `filters=${encodeURIComponent(JSON.stringify(wanted))}`;
    const { json } = await api.get(`/images/json?${filter}`);
    for (const { Id: id } of json as readonly { readonly Id: string }[])
      await api.delete(`/images/${id}?force=1`);
  }
}

/** Imports the image and makes the containers that requests only look at. */
export async function openScene(socketPath: string): Promise<Scene> {
  const api = engineApi(socketPath);
  await removeAll(api, new Set());
  await removeRest(api, new Set());
  demand(await api.post(importPath, demoRootfs()), 'import');
  const names: Record<string, string> = { socket: socketPath };
  const standing = new Set([`${prefix}net`, `${prefix}vol`]);
  for (const [word, stage] of Object.entries(stageOf)) {
    const id = await makeContainer(api, prefix + word, stage);
    standing.add(id);
    Object.assign(names, { [word]: id, [`${word}.short`]: id.slice(0, 12) });
  }
  await addRest(api, names);
  const made: string[] = [];
  return {
    names,
    send: async (request) => {
      const answer = await send(socketPath, names, request);
      made.push(...nameless(request, answer));
      return answer;
    },
    makeOwn: async (stage) => {
      const id = await makeContainer(api, `${prefix}own`, stage);
      Object.assign(names, { own: id, 'own.short': id.slice(0, 12) });
    },
    clear: async () => {
      for (const path of made.splice(0)) await api.delete(path);
      await removeAll(api, standing);
      await removeRest(api, standing);
    },
    close: async () => {
      await removeAll(api, new Set());
      await removeRest(api, new Set());
      await removeMade(api);
      await api.delete('/images/tsdiff:1?force=1');
    },
  };
}

const importPath =
  `/images/create?fromSrc=-&repo=tsdiff&tag=1&changes=${encodeURIComponent('CMD ["/bin/sh"]')}`;

/** An exec, a network, a volume and the image's id. */
async function addRest(api: EngineApi, names: Record<string, string>): Promise<void> {
  const exec = await api.post(`/containers/${prefix}running/exec`, { Cmd: ['true'] });
  const network = await api.post('/networks/create', { Name: `${prefix}net` });
  demand(await api.post('/volumes/create', { Name: `${prefix}vol` }), 'volume');
  const image = demand(await api.get('/images/tsdiff:1/json'), 'image');
  const info = demand(await api.get('/info'), 'info');
  Object.assign(names, {
    exec: (demand(exec, 'exec').json as { Id: string }).Id,
    network: (demand(network, 'network').json as { Id: string }).Id,
    image: (image.json as { Id: string }).Id.replace('sha256:', ''),
    root: (info.json as { DockerRootDir: string }).DockerRootDir,
  });
}

async function send(socketPath: string, names: Names, request: Request): Promise<WireAnswer> {
  const { method, version = apiVersion, readMs } = request;
  const path = fill(request.path, names);
  const body =
    request.raw === undefined
      ? request.body === undefined
        ? undefined
        : Buffer.from(fill(JSON.stringify(request.body), names))
      : Buffer.from(request.raw);
  const answer = await exchange(socketPath, {
    method,
    path: version === null ? path : `/v${version}${path}`,
    headers: {
      ...(request.body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...request.headers,
    },
    body,
    readMs,
  });
  learn(names, answer);
  return answer;
}

/** What a request made under a name that the engine chose: the prefix does not find it. */
function nameless({ method, path }: Request, { text }: WireAnswer): readonly string[] {
  if (method !== 'POST') return [];
  const id = /^\{"Id":"([0-9a-f]{64})"/.exec(text)?.[1];
  if (path.startsWith('/containers/create') && id !== undefined) {
    return [`/containers/${id}?force=1&v=1`];
  }
  const volume = /"Name":"([0-9a-f]{64})"/.exec(text)?.[1];
  return path === '/volumes/create' && volume !== undefined ? [`/volumes/${volume}`] : [];
}

/** An id that an answer tells is `{last}` in the requests that follow. */
function learn(names: Names, answer: WireAnswer): void {
  const id = /^\{"Id":"([0-9a-f]{64})"/.exec(answer.text)?.[1];
  if (id !== undefined) Object.assign(names, { last: id });
}
