/** What an exec's shim is to do: the container's own process, changed where the exec says so. */
import { invalidParameter } from '../../api-spec/errors.js';
import { encodeProgram } from '../../native/launch/encode.js';
import type { EncodedProgram } from '../../native/shim/client.js';
import type { MountRecipe } from '../../storage-drivers/driver.js';
import { bundlePaths, configText } from './bundle.js';
import type { CgroupEntry, ContainerCgroup } from './cgroup/index.js';
import { compileExec, type CompiledExec } from './compile/exec.js';
import { foreignOf, type RuntimeOptions } from './context.js';
import { execBasis, recipeOf, type ExecBasis } from './exec-basis.js';
import { execEntry } from './exec-cgroup.js';
import { describeProcess, type ExecPaths } from './exec-files.js';
import type { ExecRecord, ExecRequest } from './exec-task.js';
import { compileForeignExec } from './foreign/exec.js';
import type { HostFacts } from './host-facts.js';
import { lookUpUser } from './lookup.js';
import type { OciProcess } from './oci.js';
import { remember } from '../remember.js';
import { containerCapabilities } from './spec/capabilities.js';
import { environment, variable } from './spec/environment.js';

/** What execs need of the daemon to be compiled. */
export interface ExecProgramContext {
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly host: HostFacts;
  readonly runtimes: RuntimeOptions['runtimes'];
  /** Of a container, by its record. */
  readonly cgroup: (record: ExecRequest['container']) => ContainerCgroup;
}

/** A compiled exec in the form that the shim takes. */
export interface EncodedExec extends Omit<CompiledExec, 'program'> {
  readonly program: EncodedProgram;
  /** Whether files lie beside the socket that the shim does not remove. */
  readonly leavesFiles: boolean;
}

/** Programs by all that they depend on: probes and scripts run the same again and again. */
const known = new Map<string, EncodedExec>();
const MAX_KEPT = 16;
/** Larger ones carry much that is nobody's to keep. */
const MAX_KEPT_BYTES = 16 * 1024;

/** `waits`: the process is made once that is said, unasked. Rejects as `launchExec`. */
export async function execProgram(
  context: ExecProgramContext,
  request: ExecRequest,
  { paths, waits }: { readonly paths: ExecPaths; readonly waits: boolean },
): Promise<EncodedExec> {
  const { container, task } = request;
  const bundle = bundlePaths(context.dataRoot, context.execRoot, container.id);
  const basis = await execBasis(task, bundle);
  const foreign = foreignOf(context, container, bundle)?.execCommand(task.pid, paths.process);
  if (foreign !== undefined) {
    const process = await processOf(context, request, basis);
    const { attach, exec: { stdin } } = request;
    describeProcess(paths, configText(process));
    const plan = { ...foreign, process, stdin, hasClient: attach !== undefined };
    return encoded(compileForeignExec(plan), true);
  }
  const own = context.cgroup(container).entry;
  const cgroup = execEntry(context.host.cgroups, own, task.pid);
  // A name is looked up, and whatever the container has done to its own group is seen, each time.
  if (request.exec.user !== '' || cgroup !== own) {
    return compiledOf(context, request, { basis, cgroup, waits });
  }
  const key = keyOf(request, basis, waits);
  const found = known.get(key);
  if (found !== undefined) return found;
  const compiled = await compiledOf(context, request, { basis, cgroup, waits });
  if (compiled.program.bytes.length > MAX_KEPT_BYTES) return compiled;
  return remember(known, key, compiled, MAX_KEPT);
}

/** All that a program depends on, where the user is the container's own and so is its group. */
function keyOf({ exec, attach }: ExecRequest, { serial }: ExecBasis, waits: boolean): string {
  const { command, env, workingDir, tty, privileged, stdin, consoleSize } = exec;
  const flags = [tty, privileged, stdin, attach !== undefined, waits].map(Number).join('');
  return JSON.stringify([serial, flags, workingDir, consoleSize, env, command]);
}

async function compiledOf(
  context: ExecProgramContext,
  request: ExecRequest,
  { basis, cgroup, waits }: {
    readonly basis: ExecBasis;
    readonly cgroup: CgroupEntry;
    readonly waits: boolean;
  },
): Promise<EncodedExec> {
  const { hardLimits } = context.host;
  const { namespaces, uidMappings, seccomp } = basis;
  return encoded(compileExec({
    containerId: request.container.id,
    process: await processOf(context, request, basis),
    namespaces,
    ...(uidMappings === undefined ? {} : { uidMappings }),
    cgroup,
    ...(seccomp === undefined ? {} : { seccomp }),
    stdin: request.exec.stdin,
    hasClient: request.attach !== undefined,
    waits,
    opens: true,
    ...(hardLimits === undefined ? {} : { hardLimits }),
  }), false);
}

function encoded({ program, ...rest }: CompiledExec, leavesFiles: boolean): EncodedExec {
  // A copy: the writer's room is larger than what was written.
  const bytes = Uint8Array.from(encodeProgram(program));
  return { ...rest, leavesFiles, program: { bytes, source: () => program } };
}

/** The container's own process, changed where the exec says otherwise. */
async function processOf(
  { host }: ExecProgramContext,
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
