/** Programs that finish a container while it is made: those that run outside of it, and states. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { systemError } from '../../api-spec/errors.js';
import type { BundlePaths } from './bundle.js';
import type { InnerHooks } from './compile/hooks.js';
import { CREATE_FAILED } from './launch-error.js';
import type { OciConfig, OciHook } from './oci.js';

const MAX_OUTPUT_BYTES = 64 * 1024;
/** Of a hook that has no timeout of its own. */
const DEFAULT_TIMEOUT_SECONDS = 60;

/** A container with hooks, as far as these are told of it. */
export interface HookedContainer {
  readonly id: string;
  readonly config: OciConfig;
  readonly paths: BundlePaths;
}

/** What the launch program runs inside, for its plan. */
export function innerHooks(
  config: OciConfig,
  paths: BundlePaths,
): { readonly hooks?: InnerHooks } {
  if (config.hooks === undefined) return {};
  return {
    hooks: {
      createContainer: hooksAt(config, 'createContainer'),
      startContainer: hooksAt(config, 'startContainer'),
      states: statePaths(paths.bundle),
    },
  };
}

/**
 * What is due when init's namespaces exist: hooks outside run, and those inside find their states.
 * Rejects at the first hook that fails (`ApiError` 500).
 */
export async function onCreatedHooks(container: HookedContainer, pid: number): Promise<void> {
  const { config, paths } = container;
  if (config.hooks === undefined) return;
  const state = (status: string): object => hookState(container, status, pid);
  for (const point of ['prestart', 'createRuntime'])
    await runHooks(point, hooksAt(config, point), state('creating')).catch(failed);
  const files = statePaths(paths.bundle);
  writeFileSync(files.createContainer, JSON.stringify(state('creating')), { mode: 0o600 });
  writeFileSync(files.startContainer, JSON.stringify(state('created')), { mode: 0o600 });
}

/** What a hook is told on its standard input. */
export const hookState = ({ id, config, paths }: HookedContainer, status: string, pid: number) => ({
  ociVersion: config.ociVersion, id, status, pid, bundle: paths.bundle,
  annotations: config.annotations ?? {},
});

function failed(error: unknown): never {
  const words = error instanceof Error ? error.message : String(error);
  throw systemError(CREATE_FAILED + words, error);
}

/** In order, each with its time limit. */
export function hooksAt({ hooks = {} }: OciConfig, point: string): readonly OciHook[] {
  return (hooks[point] ?? []).map(({ timeout, ...hook }) => ({
    ...hook, timeoutSeconds: timeout ?? DEFAULT_TIMEOUT_SECONDS,
  }));
}

/** Where, in a container's folder, the states lie that hooks inside it are given. */
export const statePaths = (folder: string): InnerHooks['states'] => ({
  createContainer: `${folder}/creating.json`, startContainer: `${folder}/created.json`,
});

/** How a list of hooks is run. */
export interface HookRun {
  /** Those before it have run. */
  readonly from?: number;
  /** Called before each. */
  readonly onBegin?: (index: number) => void;
  /** Called for each that fails: the next one follows all the same. */
  readonly onFailure?: (error: unknown) => void;
}

/**
 * Runs them in order, each with the state on stdin, in the caller's namespaces and with the
 * environment that it names, no other. Rejects at the first that fails, in words that name it,
 * unless failures are somebody's.
 */
export async function runHooks(
  point: string,
  hooks: readonly OciHook[],
  state: object,
  { from = 0, onBegin, onFailure }: HookRun = {},
): Promise<void> {
  for (const [index, hook] of hooks.entries()) {
    if (index < from) continue;
    onBegin?.(index);
    const ran = runHook(`${point}[${index}] ${hook.path}`, hook, JSON.stringify(state));
    await (onFailure === undefined ? ran : ran.catch(onFailure));
  }
}

function runHook(about: string, hook: OciHook, state: string): Promise<void> {
  const [argv0 = hook.path, ...args] = hook.args;
  const env = Object.fromEntries(
    hook.env.map((each) => {
      const at = each.indexOf('=');
      return at < 0 ? [each, ''] : [each.slice(0, at), each.slice(at + 1)];
    }),
  );
  return new Promise((resolve, reject) => {
    const child = spawn(hook.path, args, {
      argv0, env, stdio: ['pipe', 'ignore', 'pipe'], killSignal: 'SIGKILL',
      ...(hook.timeoutSeconds === undefined ? {} : { timeout: hook.timeoutSeconds * 1000 }),
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-MAX_OUTPUT_BYTES);
    });
    // A hook need not read its state.
    child.stdin.on('error', () => undefined).end(state);
    child.on('error', (cause) => reject(new Error(`hook ${about}: ${cause.message}`, { cause })));
    child.on('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`hook ${about}: ${signal ?? `exit status ${code}`}: ${said.trim()}`));
    });
  });
}
