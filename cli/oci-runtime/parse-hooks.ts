/** Programs of the caller's that are run at certain points of a container's life. */
import { given, type JsonValue } from './json-value.js';

/** A program of the host that is told of the container's state on its stdin. */
export interface Hook {
  /** Absolute, on the host. */
  readonly path: string;
  /** argv; the path itself when absent. */
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly timeoutSeconds?: number;
}

/** By the points that this runtime serves. */
export interface Hooks {
  readonly prestart: readonly Hook[];
  readonly createRuntime: readonly Hook[];
  readonly poststart: readonly Hook[];
  readonly poststop: readonly Hook[];
}

const MAX_TIMEOUT_SECONDS = 86_400;

/** Hooks that run inside the container's namespaces are refused: not supported yet. */
export function parseHooks(json: JsonValue): Hooks {
  for (const name of ['createContainer', 'startContainer']) {
    if (json.at(name).list(() => true).length > 0) throw json.at(name).wrong('not supported yet');
  }
  const hooks = (name: string): readonly Hook[] => json.at(name).list(parseHook);
  return {
    prestart: hooks('prestart'), createRuntime: hooks('createRuntime'),
    poststart: hooks('poststart'), poststop: hooks('poststop'),
  };
}

function parseHook(json: JsonValue): Hook {
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
