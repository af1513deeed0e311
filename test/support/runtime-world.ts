/** A runtime on a temporary root, and containers of busybox in it: for tests as root. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerConfig, HostConfig } from '../../api-spec/index.js';
import type { ResolvedMount, Sandbox, TaskRequest } from '../../daemon/containers/needs.js';
import type { ContainerRecord } from '../../daemon/containers/record.js';
import {
  createRuntime, type Runtime, type Task, type TaskExit,
} from '../../daemon/runtime/index.js';
import type { MountRecipe } from '../../storage-drivers/driver.js';

/** What a test says of a container; everything else is as `docker run busybox` would have it. */
export interface ContainerOptions {
  readonly command: readonly string[];
  readonly config?: ContainerConfig;
  readonly host?: HostConfig;
  readonly sandbox?: Partial<Sandbox>;
  readonly mounts?: readonly ResolvedMount[];
  readonly joinPids?: Readonly<Record<string, number>>;
  /** Files of the image besides busybox, by path. */
  readonly files?: Readonly<Record<string, string>>;
  /** Links of the image, by path. */
  readonly links?: Readonly<Record<string, string>>;
  readonly onCreated?: (pid: number) => Promise<void>;
}

export interface Outcome {
  readonly output: string;
  readonly exit: TaskExit;
}

export interface RuntimeWorld {
  readonly runtime: Runtime;
  readonly folder: string;
  readonly rootId: string;
  readonly warnings: readonly string[];
  /** Another runtime on the same root: the daemon after a restart. */
  readonly reopen: () => Runtime;
  readonly record: (options: ContainerOptions) => ContainerRecord;
  readonly request: (record: ContainerRecord, options: ContainerOptions) => TaskRequest;
  /** Created, not started; disposed of when the world closes. */
  readonly create: (options: ContainerOptions) => Promise<Task>;
  /** Runs to its end; what it wrote to both streams. */
  readonly run: (options: ContainerOptions) => Promise<Outcome>;
  readonly close: () => Promise<void>;
}

const applets = [
  'sh', 'cat', 'ls', 'id', 'sleep', 'mount', 'true', 'false', 'env', 'grep', 'stat', 'readlink',
  'hostname', 'head', 'wc', 'pwd', 'touch', 'mknod', 'ulimit', 'kill', 'ps', 'dd', 'df', 'mkdir',
  'rm', 'echo', 'tty', 'stty', 'umount', 'chroot', 'unshare', 'ip', 'awk', 'sort', 'test', 'tr',
  'ipcs', 'nproc', 'ln', 'cut', 'find', 'yes',
];

/** Close it in a teardown. */
export function openRuntimeWorld(
  base = tmpdir(),
  cgroupDriver: 'cgroupfs' | 'systemd' = 'cgroupfs',
): RuntimeWorld {
  const folder = fs.mkdtempSync(join(base, 'tsdocker-runtime-'));
  const rootId = randomBytes(4).toString('hex');
  const warnings: string[] = [];
  const reopen = (): Runtime =>
    createRuntime({
      dataRoot: join(folder, 'data'), execRoot: join(folder, 'exec'), rootId,
      cgroupDriver,
      defaultUlimits: [], cdiSpecDirs: [], runtimes: {},
      security: { noNewPrivileges: false, seccomp: 'builtin' },
      log: () => ({ kind: 'none' }),
      attach: { spillDir: folder, spillBytes: 0, stallMs: 10_000 },
      warn: (message, cause) => warnings.push(`${message}: ${String(cause)}`),
    });
  const runtime = reopen();
  const tasks: Task[] = [];
  const world: RuntimeWorld = {
    runtime, folder, rootId, warnings, reopen,
    record: (options) => recordOf(options),
    request: (record, options) => requestOf(folder, record, options),
    create: async (options) => {
      const task = await runtime.create(requestOf(folder, recordOf(options), options));
      tasks.push(task);
      return task;
    },
    run: async (options) => run(await world.create(options)),
    close: async () => {
      for (const task of tasks) await end(task);
      await runtime.sweep(new Set());
      removeParents(runtime, rootId);
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
  return world;
}

async function end(task: Task): Promise<void> {
  await task.unpause().catch(() => undefined); // its group may have gone
  await task.dispose();
}

function removeParents(runtime: Runtime, rootId: string): void {
  const { cgroups } = runtime.host;
  const mounts = cgroups.version === 2 ? [cgroups.mount] : cgroups.hierarchies.map((h) => h.mount);
  for (const mount of mounts) {
    const parent = `${mount}/tsdocker-${rootId}`;
    if (fs.existsSync(parent)) fs.rmdirSync(parent);
  }
}

async function run(task: Task): Promise<Outcome> {
  const stream = await task.attach({
    stdin: false, stdout: true, stderr: true, framed: false, detachKeys: new Uint8Array(),
  });
  const chunks: Buffer[] = [];
  const ended = (async () => {
    for await (const chunk of stream) chunks.push(chunk as Buffer);
  })();
  await task.start();
  const exit = await task.exited;
  await ended;
  await task.dispose();
  return { output: Buffer.concat(chunks).toString('utf8'), exit };
}

function recordOf(options: ContainerOptions): ContainerRecord {
  const [path = '', ...args] = options.command;
  return {
    id: randomBytes(32).toString('hex'), name: 'test', createdAtMs: Date.now(), imageId: 'sha256:0',
    imageName: 'busybox', layers: [], config: options.config ?? {}, hostConfig: options.host ?? {},
    path, args, storageDriver: 'vfs', mounts: [], endpoints: {}, restartCount: 0,
    stoppedByUser: false, state: { status: 'created' },
  };
}

function requestOf(
  folder: string,
  record: ContainerRecord,
  options: ContainerOptions,
): TaskRequest {
  return {
    record,
    image: { id: record.imageId, config: {}, layers: [], os: 'linux', architecture: 'amd64' },
    rootfs: image(folder, record.id, options),
    mounts: options.mounts ?? [],
    sandbox: {
      id: record.id, kind: 'none', hostsPath: '', resolvConfPath: '', hostnamePath: '',
      hostname: record.id.slice(0, 12), domainname: '', endpoints: {}, ports: {}, reservations: [],
      ...options.sandbox,
    },
    joinPids: options.joinPids ?? {},
    onCreated: options.onCreated ?? (async () => undefined),
    signal: AbortSignal.timeout(60_000),
  };
}

/** A folder with busybox and the files of `options`, as a vfs driver would hand it over. */
function image(folder: string, id: string, options: ContainerOptions): MountRecipe {
  const root = join(folder, 'images', id);
  fs.mkdirSync(join(root, 'bin'), { recursive: true });
  fs.copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const applet of applets) fs.symlinkSync('busybox', join(root, 'bin', applet));
  const files = {
    '/etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nbob:x:1000:100:Bob:/home/bob:/bin/sh\n',
    '/etc/group': 'root:x:0:\nusers:x:100:\nwheel:x:10:root,bob\ndialout:x:20:\n',
    ...options.files,
  };
  for (const [path, content] of Object.entries(files)) {
    fs.mkdirSync(join(root, path, '..'), { recursive: true });
    fs.writeFileSync(join(root, path), content);
  }
  for (const [path, target] of Object.entries(options.links ?? {})) {
    fs.symlinkSync(target, join(root, path));
  }
  return { kind: 'bind', source: root };
}
