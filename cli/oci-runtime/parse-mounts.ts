/** `$.mounts`. */
import { isAbsolute, join, normalize } from 'node:path';
import type { IdMappings, OciMount } from '../../daemon/runtime/oci.js';
import { given, type JsonValue } from './json-value.js';
import { parseIdMap } from './parse-namespaces.js';

/** Of the mount alone, and of all below it. */
const mapping: ReadonlySet<string> = new Set(['idmap', 'ridmap']);

function mountType(json: JsonValue, options: readonly string[]): string {
  if (options.includes('bind') || options.includes('rbind')) return 'bind';
  const type = json.at('type').optional((each) => each.text()) ?? 'none';
  if (type === 'none') throw json.at('type').wrong('is missing, and no option says bind');
  return type;
}

/** Throws `OciError`. `own` are the maps of the container's user namespace. */
export function parseMount(
  json: JsonValue,
  bundle: string,
  own: Partial<IdMappings>,
): OciMount {
  const destination = json.at('destination').required().text();
  const options = json.at('options').list((option) => option.text());
  const type = mountType(json, options);
  if (options.includes('tmpcopyup') && type !== 'tmpfs') {
    throw json.at('type').wrong('only a tmpfs can be filled by tmpcopyup');
  }
  return given({
    // Relative ones are against the specification since 1.0; other runtimes take them from `/`.
    destination: normalize(`/${destination}`).replace(/(?<=.)\/$/, ''),
    type,
    source:
      type === 'bind' ? bindSource(json.at('source'), bundle) : nameOf(json.at('source'), type),
    options: options.filter((option) => option !== 'bind'),
    ...parseMountMap(json, { type, options, own }),
  });
}

/** Its own maps, or with the option alone those of the user namespace. */
function parseMountMap(
  json: JsonValue,
  { type, options, own }: {
    readonly type: string;
    readonly options: readonly string[];
    readonly own: Partial<IdMappings>;
  },
): Partial<IdMappings> {
  const uidMappings = parseIdMap(json.at('uidMappings'));
  const gidMappings = parseIdMap(json.at('gidMappings'));
  const isGiven = uidMappings.length + gidMappings.length > 0;
  if (!isGiven && !options.some((option) => mapping.has(option))) return {};
  const maps = isGiven ? { uidMappings, gidMappings } : own;
  for (const name of ['uidMappings', 'gidMappings'] as const) {
    if ((maps[name] ?? []).length === 0) throw json.at(name).wrong('is missing: ids are mapped');
  }
  if (type !== 'bind') throw json.at('type').wrong('only a bind can be mapped');
  return maps;
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
