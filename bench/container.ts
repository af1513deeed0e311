import type { ContainerInspectResponse } from '../api-spec/container.js';
import type { Client } from './client.js';
import { made, type Step } from './talk/index.js';

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
  const { Id } = await client.json<{ readonly Id: string }>('POST', '/containers/create', {
    body: bodyOf(wish),
  });
  return Id;
}

function bodyOf(wish: ContainerWish): object {
  const ports = wish.publishes === true;
  return {
    Image: wish.image,
    Cmd: wish.command,
    Labels: { 'tsdocker.bench': '1' },
    ...(ports ? { ExposedPorts: { '80/tcp': {} } } : {}),
    HostConfig: {
      NetworkMode: wish.network,
      ...(ports ? { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] } } : {}),
    },
  };
}

/** Create, start, wait for the end, remove: what `run --rm` comes to. */
export function lifeOf(wish: ContainerWish): readonly Step[] {
  const path = `/containers/${made}`;
  return [
    { line: 0, request: ['POST', '/containers/create', bodyOf(wish)], until: 'end' },
    { line: 1, request: ['POST', `${path}/wait?condition=next-exit`], until: 'head' },
    { line: 0, request: ['POST', `${path}/start`], until: 'end' },
    { line: 1, until: 'end', expected: '"StatusCode":0' },
    { line: 0, request: ['DELETE', path], until: 'end' },
  ];
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
