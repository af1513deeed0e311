/**
 * `config.json` as others write it, to the configuration that the daemon's compiler takes. What is
 * not known is ignored, what is wrong is refused by its path, and what would have to be done but
 * cannot be yet is refused too: a limit that is silently missing is worse than an error.
 */
import { isAbsolute, join } from 'node:path';
import type { OciConfig, IdMappings } from '../../daemon/runtime/oci.js';
import { given, JsonValue } from './json-value.js';
import { OciError } from './oci-error.js';
import { parseHooks, type Hooks } from './parse-hooks.js';
import { parseLinux } from './parse-linux.js';
import { parseMount } from './parse-mounts.js';
import { refuseMounts } from './parse-namespaces.js';
import { parseProcess } from './parse-process.js';

/** What `create` needs to know of the machine and of itself. */
export interface ParseContext {
  /** Absolute. */
  readonly bundle: string;
  /** Where the container's control group goes when the configuration does not say. */
  readonly cgroupsPath: string;
  /** `cgroupsPath` names a scope of systemd's: `slice:prefix:name`. */
  readonly systemdCgroup?: boolean;
  readonly architecture: 'amd64' | 'arm64';
  /** Capabilities that can be given; others are passed over, as other runtimes do. */
  readonly capabilities: ReadonlySet<string>;
  /** The maps of an existing user namespace; undefined when they cannot be told. */
  readonly mapsOf: (path: string) => IdMappings | undefined;
}

/** A bundle's configuration, checked; what is not supported has been refused. */
export interface ParsedConfig {
  readonly config: OciConfig;
  /** Absolute. */
  readonly rootfs: string;
  readonly hooks: Hooks;
}

/** A container without a process can be created, not started: it has no command. */
const noProcess = { args: [''], cwd: '/' };

const versions = /^1\.\d+\.\d+([-+].*)?$/;

/** Throws `OciError`. */
export function parseConfig(text: string, context: ParseContext): ParsedConfig {
  const json = new JsonValue(parseJson(text));
  const version = json.at('ociVersion').required();
  if (!versions.test(version.text())) throw version.wrong('must be a version 1.x.y');
  const root = json.at('root').required();
  const path = root.at('path').required().text();
  const linux = parseLinux(json.at('linux'), context);
  if (!linux.namespaces.some(({ type }) => type === 'mount')) refuseMounts(json);
  const refuseWithout = (name: 'hostname' | 'domainname'): string | undefined => {
    const value = json.at(name);
    const isOwn = linux.namespaces.some((each) => each.type === 'uts');
    if (!value.isAbsent && value.text() !== '' && !isOwn) {
      throw value.wrong('needs a uts namespace: it would be the host\'s');
    }
    return value.optional((each) => each.text());
  };
  const config: OciConfig = given({
    ociVersion: version.text(),
    process: parseProcess(
      json.at('process').isAbsent ? new JsonValue(noProcess) : json.at('process'),
      context.capabilities,
    ),
    root: { path, readonly: root.at('readonly').optional((each) => each.truth()) ?? false },
    hostname: refuseWithout('hostname'),
    domainname: refuseWithout('domainname'),
    mounts: json.at('mounts').list((mount) => parseMount(mount, context.bundle, linux)),
    annotations: json.at('annotations').optional(parseAnnotations),
    linux,
  });
  return {
    config,
    rootfs: isAbsolute(path) ? path : join(context.bundle, path),
    hooks: parseHooks(json.at('hooks')),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new OciError(`config.json: ${error instanceof Error ? error.message : ''}`, error);
  }
}

function parseAnnotations(json: JsonValue): Readonly<Record<string, string>> {
  const annotations = json.map((value) => value.text());
  if ('' in annotations) throw json.wrong('has a key that is empty');
  return annotations;
}
