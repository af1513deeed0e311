/** Containers of a daemon under test, in few words. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerInspectResponse, ContainerState } from '../../api-spec/index.js';
import type { TestDaemon } from './daemon.js';

/** What to run, with the fields of a create body that a test cares about. */
export interface RunOptions {
  readonly name?: string;
  readonly command: readonly string[];
  readonly config?: object;
  readonly host?: object;
}

/** Creates a container of the demo image; its id. Throws with the engine's words. */
export async function create({ api }: TestDaemon, options: RunOptions): Promise<string> {
  const { name, command, config = {}, host = {} } = options;
  const query = name === undefined ? '' : `?name=${name}`;
  const body = { Image: 'tsdocker-demo', Cmd: command, ...config, HostConfig: host };
  const answer = await api.post(`/containers/create${query}`, body);
  if (answer.status !== 201) throw new Error(`create: ${answer.status} ${answer.text}`);
  return String(answer.json.Id);
}

/** Creates and starts. */
export async function run(daemon: TestDaemon, options: RunOptions): Promise<string> {
  const id = await create(daemon, options);
  await start(daemon, id);
  return id;
}

/** Starts; throws with the engine's words. */
export async function start({ api }: TestDaemon, id: string): Promise<void> {
  const answer = await api.post(`/containers/${id}/start`);
  if (answer.status !== 204) throw new Error(`start: ${answer.status} ${answer.text}`);
}

/** `State` of inspect. */
export async function stateOf({ api }: TestDaemon, id: string): Promise<ContainerState> {
  const inspected = (await api.get(`/containers/${id}/json`)).json as ContainerInspectResponse;
  return inspected.State;
}

/** Runs to its end: exit code and what it wrote. */
export async function output(
  daemon: TestDaemon,
  options: RunOptions,
): Promise<{ readonly code: number; readonly text: string }> {
  const id = await run(daemon, options);
  const waited = await daemon.api.post(`/containers/${id}/wait`);
  const text = await logText(daemon, id);
  await daemon.api.delete(`/containers/${id}?force=1&v=1`);
  return { code: Number(waited.json.StatusCode), text };
}

/** The whole log, both streams, without frames. */
export async function logText({ socket }: TestDaemon, id: string): Promise<string> {
  const { request } = await import('node:http');
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    const path = `/containers/${id}/logs?stdout=1&stderr=1`;
    request({ socketPath: socket, path, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.once('end', () => resolve(Buffer.concat(parts))).once('error', reject);
    })
      .once('error', reject)
      .end();
  });
  return unframed(bytes);
}

function unframed(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at + 8 <= bytes.length; ) {
    const end = at + 8 + bytes.readUInt32BE(at + 4);
    text += bytes.subarray(at + 8, end).toString();
    at = end;
  }
  return text;
}

/** Looks until `look` says yes; throws when it has not after `timeoutMs`. */
export async function until(
  what: string,
  look: () => Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  while (!(await look())) {
    if (Date.now() > deadlineMs) throw new Error(`not in ${timeoutMs} ms: ${what}`);
    await sleep(20);
  }
}
