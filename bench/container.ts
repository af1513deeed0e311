import type { ContainerInspectResponse } from '../api-spec/container.js';
import type { Client } from './client.js';

/** What a container of the bench is made of. */
export interface ContainerWish {
  readonly image: string;
  readonly command: readonly string[];
  readonly network: string;
  /** Publishes port 80 of the container on a free one. */
  readonly publishes?: boolean;
}

/** Makes a container and answers its id. */
export async function create(client: Client, wish: ContainerWish): Promise<string> {
  const ports = wish.publishes === true;
  const made = await client.json<{ readonly Id: string }>('POST', '/containers/create', {
    body: {
      Image: wish.image,
      Cmd: wish.command,
      Labels: { 'tsdocker.bench': '1' },
      ...(ports ? { ExposedPorts: { '80/tcp': {} } } : {}),
      HostConfig: {
        NetworkMode: wish.network,
        ...(ports ? { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] } } : {}),
      },
    },
  });
  return made.Id;
}

/** Create, start, wait for the end, remove: what `run --rm` comes to. */
export async function runOnce(client: Client, wish: ContainerWish): Promise<void> {
  const id = await create(client, wish);
  const wait = await client.begin('POST', `/containers/${id}/wait?condition=next-exit`);
  await client.text('POST', `/containers/${id}/start`);
  const answer = await wait.body;
  if (!/"StatusCode":0\b/.test(answer)) {
    throw new Error(`a container of the bench failed: ${answer}`);
  }
  await client.text('DELETE', `/containers/${id}`);
}

/** Kills and removes; a container that is gone already is fine. */
export async function removeAll(client: Client, ids: readonly string[]): Promise<void> {
  const outcomes = await Promise.allSettled(
    ids.map((id) => client.text('DELETE', `/containers/${id}?force=1&v=1`)),
  );
  const failed = outcomes.find(
    (outcome) => outcome.status === 'rejected' && !/: 404 /.test(String(outcome.reason)),
  );
  if (failed?.status === 'rejected') throw failed.reason;
}

/** The process id of a running container's first process, as the host sees it. */
export async function pidOf(client: Client, id: string): Promise<number> {
  const { State } = await client.json<ContainerInspectResponse>('GET', `/containers/${id}/json`);
  return State.Pid;
}
