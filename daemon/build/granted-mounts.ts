/** `RUN --mount=type=secret|ssh`: what only the client has, shown to one step. */
import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { invalidParameter } from '../../api-spec/errors.js';
import type { Mount } from '../../api-spec/index.js';
import type { RunMount } from './dockerfile/instruction.js';
import type { StepContext } from './step.js';

/** What a step gets; `release` ends it. */
export interface Granted {
  readonly mount?: Mount;
  /** `NAME=value`; nobody but the step's process may see it. */
  readonly env?: string;
  readonly release?: () => void;
}

/** As a step asks for it. */
export interface Wish {
  readonly mount: RunMount;
  /** Where a path of the Dockerfile is. */
  readonly at: (target: string) => string;
}

/** Bound on what the kernel takes as one variable. */
const maxVariableBytes = 128 * 1024;
/** Connections to an agent that one step may have at once. */
const maxConnections = 64;

/** A file, a variable or both; `ApiError` when the client has none and it is required. */
export async function grantSecret(step: StepContext, { mount, at }: Wish): Promise<Granted> {
  const { build } = step;
  const id = mount.source || mount.id || posix.basename(mount.target);
  if (id === '') throw invalidParameter('one of source, target required');
  const content = await build.request.session.secret(id);
  if (content === undefined) {
    if (mount.required) throw invalidParameter(`secret ${id}: not found`);
    return {};
  }
  const env = mount.env === '' ? {} : { env: variable(mount.env, content, id) };
  if (mount.env !== '' && mount.target === '') return env;
  const { path, folder } = await ownFolder(step, 'secret');
  const release = (): void => build.later(remove(folder));
  await given({ path, mount, usualMode: 0o400, release }, () =>
    writeFile(path, content, { mode: 0o600 }),
  );
  const target = at(mount.target || `/run/secrets/${posix.basename(id)}`);
  return {
    ...env,
    mount: { Type: 'bind', Source: path, Target: target, ReadOnly: true },
    release,
  };
}

function variable(name: string, content: Buffer, id: string): string {
  if (content.includes(0)) throw invalidParameter(`secret ${id}: a variable cannot hold NUL bytes`);
  if (content.length > maxVariableBytes - name.length - 2) {
    throw invalidParameter(`secret ${id}: larger than a variable may be`);
  }
  return `${name}=${content.toString('utf8')}`;
}

/** A socket of the step's own, which leads to the client's agent: it may have any owner. */
export async function grantSsh(step: StepContext, { mount, at }: Wish): Promise<Granted> {
  const { build } = step;
  const id = mount.id === '' ? 'default' : mount.id;
  const agent = await build.request.session.sshAgent(id);
  if (agent === undefined) {
    if (mount.required) throw invalidParameter(`unset ssh forward key ${id}`);
    return {};
  }
  const { path, folder } = await ownFolder(step, 'agent');
  let close = (): Promise<void> => Promise.resolve();
  const release = (): void => build.later(close().then(() => remove(folder)));
  await given({ path, mount, usualMode: 0o600, release }, async () => {
    close = await serve(agent, path);
  });
  const target = at(mount.target);
  return {
    mount: { Type: 'bind', Source: path, Target: target },
    env: `SSH_AUTH_SOCK=${target}`,
    release,
  };
}

interface Giving {
  readonly path: string;
  readonly mount: RunMount;
  readonly usualMode: number;
  readonly release: () => void;
}

/** What `make` makes at the path gets its owner and mode; a failure leaves nothing of it. */
async function given(
  { path, mount, usualMode, release }: Giving,
  make: () => Promise<void>,
): Promise<void> {
  try {
    await make();
    await chown(path, mount.uid, mount.gid);
    await chmod(path, mount.mode ?? usualMode);
  } catch (error) {
    release();
    throw error;
  }
}

/** Not in the build's own folders, which are on a disk. */
async function ownFolder({ build }: StepContext, name: string) {
  const folder = join(build.context.secretFolder, randomBytes(6).toString('hex'));
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return { folder, path: join(folder, name) };
}

function remove(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true });
}

/** Passes connections on; what it returns ends all of them. */
async function serve(agent: string, path: string): Promise<() => Promise<void>> {
  const ends = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const there = connect({ path: agent, allowHalfOpen: true });
    const both = [client, there];
    for (const end of both) ends.add(end);
    // Each takes the other along when it fails; whoever is connected sees the end.
    const ways = [pipeline(client, there), pipeline(there, client)];
    void Promise.allSettled(ways).then(() => {
      for (const end of both) ends.delete(end.destroy());
    });
  });
  server.maxConnections = maxConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(path, resolve);
  });
  return async () => {
    for (const end of ends) end.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
}
