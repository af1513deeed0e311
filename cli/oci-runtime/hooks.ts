import { spawn } from 'node:child_process';
import { OciError } from './oci-error.js';
import type { Hook } from './parse-hooks.js';

const MAX_OUTPUT_BYTES = 64 * 1024;

/**
 * Runs them in order, each with the state on stdin, in the runtime's namespaces and with the
 * environment that it names, no other. Rejects with `OciError` at the first that fails.
 */
export async function runHooks(name: string, hooks: readonly Hook[], state: object): Promise<void> {
  for (const [index, hook] of hooks.entries()) {
    await runHook(`${name}[${index}] ${hook.path}`, hook, JSON.stringify(state));
  }
}

function runHook(about: string, hook: Hook, state: string): Promise<void> {
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
    child.on('error', (error) => reject(new OciError(`hook ${about}: ${error.message}`, error)));
    child.on('close', (code, signal) => {
      if (code === 0) resolve();
      else
        reject(new OciError(`hook ${about}: ${signal ?? `exit status ${code}`}: ${said.trim()}`));
    });
  });
}
