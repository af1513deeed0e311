/** Programs of the caller's that are run at certain points of a container's life. */
import type { OciHook } from '../../daemon/runtime/oci.js';
import { given, type JsonValue } from './json-value.js';

/** By the points that this runtime serves. */
export interface Hooks {
  readonly prestart: readonly OciHook[];
  readonly createRuntime: readonly OciHook[];
  readonly createContainer: readonly OciHook[];
  readonly startContainer: readonly OciHook[];
  readonly poststart: readonly OciHook[];
  readonly poststop: readonly OciHook[];
}

const MAX_TIMEOUT_SECONDS = 86_400;

/** Throws `OciError`. */
export function parseHooks(json: JsonValue): Hooks {
  const hooks = (name: string): readonly OciHook[] => json.at(name).list(parseHook);
  return {
    prestart: hooks('prestart'), createRuntime: hooks('createRuntime'),
    createContainer: hooks('createContainer'), startContainer: hooks('startContainer'),
    poststart: hooks('poststart'), poststop: hooks('poststop'),
  };
}

/** Without `args` argv is the path itself. */
function parseHook(json: JsonValue): OciHook {
  const path = json.at('path').required();
  if (!path.text().startsWith('/')) throw path.wrong('must be absolute');
  const args = json.at('args').list((each) => each.text());
  return given({
    path: path.text(),
    args: args.length > 0 ? args : [path.text()],
    env: json.at('env').list((each) => each.text()),
    timeoutSeconds: json.at('timeout').optional((each) => each.integer(1, MAX_TIMEOUT_SECONDS)),
  });
}
