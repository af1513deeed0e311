/** `daemon.json`: read, checked against the known keys, and joined with the command line. */
import { ConfigError } from './config-error.js';
import { kinds } from './kinds.js';
import type { OptionKey, Settings } from './options.js';
import { optionSpecs } from './options.js';

// A key that is none of ours finds nothing, though the type of get() only knows ours.
const specOf = (key: string) => optionSpecs.get(key as OptionKey);

function parseObject(text: string): Readonly<Record<string, unknown>> {
  if (text.trim() === '') return {};
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ConfigError(error instanceof Error ? error.message : String(error));
  }
  if (json === null) return {};
  if (typeof json !== 'object' || Array.isArray(json)) {
    throw new ConfigError('the file must hold one JSON object');
  }
  return Object.fromEntries(Object.entries(json));
}

/** A value as Go's %v prints it, because dockerd's message does. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(shown).join(' ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `map[${entries.map(([key, inner]) => `${key}:${shown(inner)}`).join(' ')}]`;
}

/** The settings that `text` holds; throws `ConfigError` on unknown keys and wrong types. */
export function parseDaemonJson(text: string): Settings {
  const object = parseObject(text);
  const strangers = Object.keys(object).filter((key) => specOf(key) === undefined);
  if (strangers.length > 0) {
    const names = strangers.join(', ');
    throw new ConfigError(
      `the following directives don't match any configuration option: ${names}`,
    );
  }
  const entries = Object.entries(object).flatMap(([key, json]) => {
    const spec = specOf(key);
    if (spec === undefined || json === null) return [];
    return [[key, kinds[spec.kind].fromJson(json, key)] as const];
  });
  // Every key is known and its value was read by the kind that its spec names.
  return Object.fromEntries(entries);
}

/** Both together; throws `ConfigError`, in dockerd's words, when they speak of the same thing. */
export function mergeSettings(fromFlags: Settings, fromFile: Settings): Settings {
  const flagValues: Readonly<Record<string, unknown>> = fromFlags;
  const conflicts = Object.entries(fromFile)
    .filter(([key]) => key in fromFlags)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([key, value]) =>
        `${key}: (from flag: ${shown(flagValues[key])}, from file: ${shown(value)})`,
    );
  if (conflicts.length > 0) {
    throw new ConfigError(
      'the following directives are specified both as a flag and in the configuration file: ' +
        conflicts.join(', '),
    );
  }
  return { ...fromFile, ...fromFlags };
}
