/**
 * Real clients on two engines: a script runs on a tsdockerd of its own and, when
 * REFERENCE_DOCKER_HOST names one, on a reference engine: what holds there has to hold here.
 *
 * REFERENCE_NETNS names the network namespace (of `ip netns`) where that one publishes its ports.
 * COMPAT_REPORT is a file to which each script adds a line with its counts.
 */
import { randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { test } from 'tap';
import { startDaemon } from './daemon.js';
import { demoRootfs } from './demo-image.js';
import type { CommandResult } from './docker-cli.js';
import { docker } from './docker-cli.js';
import type { EngineApi } from './engine-api.js';
import { engineApi } from './engine-api.js';

/** tap's test object. */
export type Test = Parameters<Parameters<typeof test>[0]>[0];

/** The clients that are tried; the README's table has a row for each. */
export type Client =
  'docker' | 'docker compose' | 'docker-py' | 'dockerode and testcontainers' |
  'calls of other tools';

/** One engine, with names that no other test has. */
export interface Engine {
  readonly host: string;
  readonly socket: string;
  readonly isReference: boolean;
  readonly api: EngineApi;
  /** Names of containers, images and so on begin with it. */
  readonly tag: string;
  readonly image: string;
  /** What to put before a command that uses published ports. */
  readonly enter: readonly string[];
  docker(...args: readonly string[]): Promise<CommandResult>;
  /** One check, counted; what is named by the tag is removed after it. */
  check(says: string, run: (t: Test) => Promise<void>, options?: CheckOptions): Promise<unknown>;
}

/** What a check may ask for. */
export interface CheckOptions {
  /** Why tsdockerd does not pass it yet; the reference has to. */
  readonly pending?: string;
  /** What the check has made is left to the following ones; the last one removes it. */
  readonly keeps?: boolean;
}

/** One line of the report. */
export interface Counts {
  readonly client: Client;
  readonly isReference: boolean;
  readonly passed: number;
  readonly failed: number;
  readonly pending: number;
}

interface Named {
  readonly path: string;
  readonly list: (json: never) => readonly string[];
  readonly remove: (name: string) => string;
}

const named: readonly Named[] = [
  {
    path: '/containers/json?all=1&',
    list: (json: readonly { Id: string }[]) => json.map(({ Id }) => Id),
    remove: (id) => `/containers/${id}?force=1&v=1`,
  },
  {
    path: '/networks?',
    list: (json: readonly { Id: string }[]) => json.map(({ Id }) => Id),
    remove: (id) => `/networks/${id}`,
  },
  {
    path: '/volumes?',
    list: ({ Volumes }: { Volumes: readonly { Name: string }[] | null }) =>
      (Volumes ?? []).map(({ Name }) => Name),
    remove: (name) => `/volumes/${name}`,
  },
];

/** Removes the images of these names, with patterns. */
async function removeImages(api: EngineApi, pattern: string): Promise<void> {
  const filter = encodeURIComponent(JSON.stringify({ reference: [pattern] }));
  const { json } = await api.get(`/images/json?filters=${filter}`);
  for (const { RepoTags } of json as readonly { RepoTags: readonly string[] | null }[])
    for (const name of RepoTags ?? []) await api.delete(`/images/${name}?force=1`);
}

/** Removes containers, networks and volumes whose names hold the word. */
export async function removeNamed(api: EngineApi, word: string): Promise<void> {
  const filter = `filters=${encodeURIComponent(JSON.stringify({ name: [word] }))}`;
  for (const { path, list, remove } of named) {
    const { json } = await api.get(path + filter);
    for (const name of list(json as never)) await api.delete(remove(name));
  }
}

function pathOf(host: string): string {
  if (!host.startsWith('unix://')) throw new Error(`REFERENCE_DOCKER_HOST: ${host} is no unix://`);
  return host.slice('unix://'.length);
}

function report(counts: Counts): void {
  const path = process.env['COMPAT_REPORT'];
  if (path !== undefined) appendFileSync(path, `${JSON.stringify(counts)}\n`);
}

interface Place {
  readonly client: Client;
  readonly host: string;
  readonly isReference: boolean;
  readonly script: (t: Test, engine: Engine) => Promise<void>;
}

async function run(t: Test, { client, host, isReference, script }: Place): Promise<void> {
  const tag = `compat-${randomBytes(4).toString('hex')}`;
  const netns = isReference ? process.env['REFERENCE_NETNS'] : undefined;
  const counts = { passed: 0, failed: 0, pending: 0 };
  const socket = pathOf(host);
  const api = engineApi(socket);
  const engine: Engine = {
    host,
    socket,
    isReference,
    api,
    tag,
    image: `${tag}:1`,
    enter: netns === undefined ? [] : ['nsenter', `--net=/run/netns/${netns}`],
    docker: (...args) => docker(host, args),
    check: async (says, body, { pending, keeps = false } = {}) => {
      if (!isReference && pending !== undefined) {
        counts.pending += 1;
        return t.test(says, { skip: `waits for ${pending}` }, () => undefined);
      }
      return t.test(says, async (t) => {
        // Counted at the very end: a leftover that cannot be removed is a failure, too.
        t.teardown(() => (t.passing() ? (counts.passed += 1) : (counts.failed += 1)));
        try {
          await body(t);
        } finally {
          if (!keeps) await removeNamed(api, tag);
          if (!keeps) await removeImages(api, `${tag}-*`);
        }
      });
    },
  };
  t.teardown(() => {
    report({ client, isReference, ...counts });
  });
  const input = demoRootfs();
  const imported = await docker(host, ['import', '--change', 'CMD ["sh"]', '-', engine.image], {
    input,
  });
  t.equal(imported.code, 0, imported.stderr);
  t.teardown(() => api.delete(`/images/${engine.image}?force=1`));
  await script(t, engine);
}

/** Runs a script on both engines, as a test each; `skip` says why the client cannot be had. */
export function onBothEngines(
  client: Client,
  skip: string | false,
  script: (t: Test, engine: Engine) => Promise<void>,
): void {
  test(`${client} drives tsdockerd`, { skip }, async (t) => {
    const { socket } = await startDaemon(t);
    await run(t, { client, host: `unix://${socket}`, isReference: false, script });
  });
  const reference = process.env['REFERENCE_DOCKER_HOST'];
  test(`${client}: the same script holds on the reference engine`, {
    skip: skip || (reference === undefined && 'REFERENCE_DOCKER_HOST is not set'),
  }, async (t) => {
    await run(t, { client, host: reference ?? '', isReference: true, script });
  });
}
