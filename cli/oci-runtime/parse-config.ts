/**
 * `config.json` as others write it, to the configuration that the daemon's compiler takes. What is
 * not known is ignored, what is wrong is refused by its path, and what would have to be done but
 * cannot be yet is refused too: a limit that is silently missing is worse than an error.
 */
import { isAbsolute, join, normalize } from 'node:path';
import type { OciConfig, OciMount } from '../../daemon/runtime/oci.js';
import { given, JsonValue } from './json-value.js';
import { OciError } from './oci-error.js';
import { parseHooks, type Hooks } from './parse-hooks.js';
import { parseLinux } from './parse-linux.js';
import { parseProcess } from './parse-process.js';

/** What `create` needs to know of the machine and of itself. */
export interface ParseContext {
  /** Absolute. */
  readonly bundle: string;
  /** Where the container's control group goes when the configuration does not say. */
  readonly cgroupsPath: string;
  readonly architecture: 'amd64' | 'arm64';
  /** Capabilities that can be given; others are passed over, as other runtimes do. */
  readonly capabilities: ReadonlySet<string>;
}

/** A bundle's configuration, checked; what is not supported has been refused. */
export interface ParsedConfig {
  readonly config: OciConfig;
  /** Absolute. */
  readonly rootfs: string;
  readonly hooks: Hooks;
}

const versions = /^1\.\d+\.\d+([-+].*)?$/;

/** Throws `OciError`. */
export function parseConfig(text: string, context: ParseContext): ParsedConfig {
  const json = new JsonValue(parseJson(text));
  const version = json.at('ociVersion').required();
  if (!versions.test(version.text())) throw version.wrong('must be a version 1.x.y');
  const root = json.at('root').required();
  const path = root.at('path').required().text();
  const linux = parseLinux(json.at('linux'), context);
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
    process: parseProcess(json.at('process'), context.capabilities),
    root: { path, readonly: root.at('readonly').optional((each) => each.truth()) ?? false },
    hostname: refuseWithout('hostname'),
    domainname: refuseWithout('domainname'),
    mounts: json.at('mounts').list((mount) => parseMount(mount, context.bundle)),
    annotations: json.at('annotations').optional((each) => each.map((value) => value.text())),
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

const unknownOptions: ReadonlySet<string> = new Set(['idmap', 'ridmap', 'tmpcopyup', 'remount']);

function mountType(json: JsonValue, options: readonly string[]): string {
  if (options.includes('bind') || options.includes('rbind')) return 'bind';
  const type = json.at('type').optional((each) => each.text()) ?? 'none';
  if (type === 'none') throw json.at('type').wrong('is missing, and no option says bind');
  return type;
}

function parseMount(json: JsonValue, bundle: string): OciMount {
  const destination = json.at('destination').required().text();
  const options = json.at('options').list((option) => {
    if (unknownOptions.has(option.text())) throw option.wrong('not supported yet');
    return option.text();
  });
  for (const name of ['uidMappings', 'gidMappings']) {
    if (json.at(name).list(() => true).length > 0) throw json.at(name).wrong('not supported yet');
  }
  const type = mountType(json, options);
  return {
    // Relative ones are against the specification since 1.0; other runtimes take them from `/`.
    destination: normalize(`/${destination}`).replace(/(?<=.)\/$/, ''),
    type,
    source:
      type === 'bind' ? bindSource(json.at('source'), bundle) : nameOf(json.at('source'), type),
    options: options.filter((option) => option !== 'bind'),
  };
}

/** Relative ones are the bundle's. */
function bindSource(json: JsonValue, bundle: string): string {
  const source = json.required().text();
  if (source === '') throw json.wrong('must not be empty');
  return isAbsolute(source) ? source : join(bundle, source);
}

/** What a filesystem without a device calls its source: it is shown, and means nothing. */
function nameOf(json: JsonValue, type: string): string {
  const source = json.optional((each) => each.text()) ?? '';
  return source === '' ? type : source;
}
