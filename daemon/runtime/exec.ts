/** Execs: a process of a container beside its first one, and how it is found after a restart. */
import { Socket } from 'node:net';
import { basename } from 'node:path';
import { invalidParameter } from '../../api-spec/errors.js';
import {
  connectIfThere, dropShim, launch, startShim, type LaunchRequest, type Shim,
} from '../../native/shim/client.js';
import { closeFds, socketPair } from '../../native/spawn.js';
import type { AttachLimits } from '../../native/shim/monitor-settings.js';
import type { MountRecipe } from '../../storage-drivers/driver.js';
import { bundlePaths, configText } from './bundle.js';
import type { ContainerCgroup } from './cgroup/index.js';
import { compileExec, type CompiledExec } from './compile/exec.js';
import { foreignOf, type RuntimeOptions } from './context.js';
import { endShim, readExit, toTaskExit } from './container-task.js';
import { execBasis, recipeOf, type ExecBasis } from './exec-basis.js';
import { execEntry } from './exec-cgroup.js';
import { execFailure } from './exec-error.js';
import {
  describeProcess, execPaths, forgetExec, listExecs, rememberExec, type ExecPaths,
} from './exec-files.js';
import type { ExecRecord, ExecRequest, ExecTask, FoundExec, LiveExec } from './exec-task.js';
import { compileForeignExec } from './foreign/exec.js';
import type { HostFacts } from './host-facts.js';
import { lookUpUser } from './lookup.js';
import type { OciProcess } from './oci.js';
import { containerCapabilities } from './spec/capabilities.js';
import { environment, variable } from './spec/environment.js';
import { takePidFd } from './pid-fd.js';
import type { AttachOptions, TaskExit } from './task.js';

/** What all execs of a daemon share. */
export interface ExecContext {
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly host: HostFacts;
  readonly attach: AttachLimits;
  readonly runtimes: RuntimeOptions['runtimes'];
  /** Of a container, by its record. */
  readonly cgroup: (record: ExecRequest['container']) => ContainerCgroup;
}

/** As for a container: how long output is read while others hold the pipes. */
const DRAIN_MS = 2000;

/**
 * Runs a process: resolves once its execve has succeeded. Rejects with `ApiError` 400 in the words
 * that clients know from `docker exec`; then nothing is left.
 */
export async function runExec(context: ExecContext, request: ExecRequest): Promise<LiveExec> {
  const { exec, task, attach } = request;
  const paths = execPaths(context.execRoot, exec.id);
  const { pidFd, release } = await takePidFd(task);
  const [ours = -1, theirs = -1] = attach === undefined ? [] : socketPair();
  const passed = theirs < 0 ? [pidFd] : [pidFd, theirs];
  // The shim is executed while its program is compiled.
  const started = startShim(basename(paths.socket), passed);
  // Its failure is `launch`'s to tell.
  started.catch(() => undefined);
  try {
    const compiled = await compiledOf(context, request, paths).catch(async (error: unknown) => {
      await dropShim(started);
      throw error;
    });
    rememberExec(paths, exec);
    const launching = await launch({
      program: compiled.program,
      monitor: {
        socketPath: paths.socket, exitPath: paths.exit, stdio: compiled.stdio,
        log: { kind: 'none' }, attach: context.attach, drainMs: DRAIN_MS, oomFiles: [],
        killAtExit: [], keep: [],
      },
      passFds: new Map([
        [compiled.pidFd, pidFd],
        ...(compiled.client === undefined ? [] : [[compiled.client, theirs] as const]),
      ]),
      ...clientOf(compiled, attach),
      opens: true,
      started,
    });
    await launching.open();
    return {
      task: execTask({ shim: launching.shim, pid: launching.pid, paths }),
      ...(ours < 0 ? {} : { stream: new Socket({ fd: ours, allowHalfOpen: true }) }),
    };
  } catch (error) {
    closeFds([ours]);
    forgetExec(paths);
    throw execFailure(error);
  } finally {
    closeFds([theirs]);
    release();
  }
}

function clientOf(
  { client: slot }: CompiledExec,
  attach: AttachOptions | undefined,
): Pick<LaunchRequest, 'client'> {
  if (slot === undefined || attach === undefined) return {};
  return { client: { slot, ...attach } };
}

async function compiledOf(
  context: ExecContext,
  request: ExecRequest,
  paths: ExecPaths,
): Promise<CompiledExec> {
  const { exec, container, task } = request;
  const bundle = bundlePaths(context.dataRoot, context.execRoot, container.id);
  const basis = await execBasis(task, bundle);
  const process = await processOf(context, request, basis);
  const foreign = foreignOf(context, container, bundle)?.execCommand(task.pid, paths.process);
  if (foreign !== undefined) {
    describeProcess(paths, configText(process));
    const hasClient = request.attach !== undefined;
    return compileForeignExec({ ...foreign, process, stdin: exec.stdin, hasClient });
  }
  return compileExec({
    containerId: container.id,
    process,
    namespaces: basis.namespaces,
    ...(basis.uidMappings === undefined ? {} : { uidMappings: basis.uidMappings }),
    cgroup: execEntry(context.host.cgroups, context.cgroup(container).entry, task.pid),
    ...(basis.seccomp === undefined ? {} : { seccomp: basis.seccomp }),
    stdin: exec.stdin,
    hasClient: request.attach !== undefined,
    ...(context.host.hardLimits === undefined ? {} : { hardLimits: context.host.hardLimits }),
  });
}

/** The container's own process, changed where the exec says otherwise. */
async function processOf(
  { host }: ExecContext,
  { exec, container, task, rootfs }: ExecRequest,
  { process: own }: ExecBasis,
): Promise<OciProcess> {
  const { workingDir, privileged, tty } = exec;
  if (workingDir !== '' && !workingDir.startsWith('/')) {
    throw invalidParameter(
      'OCI runtime exec failed: exec failed: Cwd must be an absolute path: unknown',
    );
  }
  const user =
    exec.user === ''
      ? { ...own.user, home: variable(own.env, 'HOME') ?? '/' }
      : userOf(container, exec.user, await recipeOf(task, rootfs));
  const capabilities = privileged
    ? containerCapabilities({ privileged, add: [], drop: [] }, host.capabilities)
    : own.capabilities.permitted;
  const { uid, gid, additionalGids } = user;
  return {
    terminal: tty,
    ...sizeOf(exec),
    user: { uid, gid, additionalGids },
    args: exec.command,
    env: environment({
      env: [...linkVariables(container, own.env), ...(container.config.Env ?? []), ...exec.env],
      hostname: variable(own.env, 'HOSTNAME') ?? '',
      tty,
      home: user.home,
    }),
    cwd: workingDir === '' ? own.cwd : workingDir,
    capabilities: {
      bounding: capabilities, effective: capabilities, permitted: capabilities,
      inheritable: [], ambient: [],
    },
    ...fromOwn(own, privileged),
  };
}

/** What links gave the container at its start: neither made for every process nor configured. */
function linkVariables(
  { config, hostConfig }: ExecRequest['container'],
  own: readonly string[],
): readonly string[] {
  if ((hostConfig.Links ?? []).length === 0) return [];
  const nameOf = (entry: string): string => entry.split('=', 1)[0] ?? '';
  const others = new Set(['PATH', 'HOSTNAME', 'TERM', 'HOME', ...(config.Env ?? []).map(nameOf)]);
  return own.filter((entry) => !others.has(nameOf(entry)));
}

function sizeOf({ tty, consoleSize: [height, width] = [0, 0] }: ExecRecord) {
  return tty && height > 0 && width > 0 ? { consoleSize: { height, width } } : {};
}

/** What no exec can say otherwise; a privileged one is not held by AppArmor. */
function fromOwn(own: OciProcess, privileged: boolean) {
  const { rlimits, noNewPrivileges, apparmorProfile, oomScoreAdj } = own;
  return {
    rlimits,
    noNewPrivileges,
    ...(apparmorProfile === undefined || privileged ? {} : { apparmorProfile }),
    ...(oomScoreAdj === undefined ? {} : { oomScoreAdj }),
  };
}

function userOf(container: ExecRequest['container'], user: string, recipe: MountRecipe) {
  const config = { ...container.config, User: user };
  const { groups, ...found } = lookUpUser({ ...container, config }, recipe);
  return { ...found, additionalGids: groups };
}

interface ExecParts {
  readonly shim: Shim;
  readonly pid: number;
  readonly paths: ExecPaths;
}

/** Code of a process whose shim was killed. */
const UNKNOWN_EXIT = 255;

function execTask({ shim, pid, paths }: ExecParts): ExecTask {
  let hasEnded = false;
  const exited = shim.exited.then(async (exit): Promise<TaskExit> => {
    hasEnded = true;
    const status = exit.lost ? await readExit(paths.exit) : exit;
    if (status !== undefined) return toTaskExit(status);
    return {
      exitCode: UNKNOWN_EXIT, oomKilled: false, finishedAtMs: Date.now(),
      error: 'the shim was killed: the exit code is not known',
    };
  });
  let disposal: Promise<void> | undefined;
  const dispose = async (): Promise<void> => {
    try {
      await endShim(shim, hasEnded);
    } finally {
      forgetExec(paths);
    }
  };
  return {
    pid,
    signal: (signal) => shim.signal(signal),
    resize: (rows, columns) => shim.resize(rows, columns),
    exited,
    dispose: () => (disposal ??= dispose()),
  };
}

/**
 * After a restart of the daemon: what of the execs of `live` containers still runs or has ended
 * meanwhile; every other one is ended and forgotten.
 */
export async function recoverExecs(
  { execRoot }: Pick<ExecContext, 'execRoot'>,
  live: ReadonlySet<string>,
): Promise<readonly FoundExec[]> {
  const found: FoundExec[] = [];
  for (const { paths, exec } of listExecs(execRoot)) {
    const shim = await connectIfThere(paths.socket);
    if (shim === undefined) {
      forgetExec(paths);
      continue;
    }
    const hello = await shim.hello();
    const task = execTask({ shim, pid: hello.pid, paths });
    const hasRun = hello.started || hello.exit !== undefined;
    if (exec !== undefined && live.has(exec.containerId) && hasRun) found.push({ exec, task });
    else await task.dispose();
  }
  return found;
}
