/** Which log drivers there are, which options they take, and what these mean for the shim. */
import { invalidParameter } from '../../api-spec/errors.js';
import { parseBoolean, parseInteger, parseSizeBytes } from '../config/units.js';
import { checkGelf, gelfOptions } from './ship/gelf.js';
import { checkSyslog, syslogOptions } from './ship/syslog-options.js';
import { checkTag } from './tag.js';

/** Options as the user gave them. */
export type LogOptions = Readonly<Record<string, string>>;

/** The bounds of a container's log. */
export interface LogBounds {
  /** 0 for no bound. */
  readonly maxSizeBytes: number;
  /** Files in all, the current one counted. */
  readonly maxFiles: number;
  /** Rotated files are compressed. */
  readonly compress: boolean;
}

interface Driver {
  readonly options: ReadonlySet<string>;
  /** Docker's words for an option that the driver does not know. */
  readonly unknown: (option: string) => string;
  /** Throws what is wrong with the values. */
  readonly check: (options: LogOptions) => void;
}

/** What every driver takes. */
const commonOptions = [
  'mode', 'max-buffer-size', 'cache-disabled', 'cache-max-size', 'cache-max-file', 'cache-compress',
];
const tagging = ['labels', 'labels-regex', 'env', 'env-regex', 'tag'];

/** Five files of 20 MB: unlike Docker's json-file, ours is bounded when nothing is said. */
const defaultMaxSizeBytes = 20 * 1000 * 1000;
const defaultMaxFiles = 5;

const drivers: Readonly<Record<string, Driver>> = {
  'json-file': driver('json-file', [...tagging, 'max-size', 'max-file', 'compress'], (options) => {
    checkTagging(options);
    jsonFileBounds(options);
  }),
  'gelf': {
    ...driver('gelf', [...tagging, ...gelfOptions], (options) => {
      checkGelf(options);
      checkTagging(options);
    }),
    unknown: (option) => `unknown log opt "${option}" for gelf log driver`,
  },
  'journald': driver('journald', tagging, checkTagging),
  'syslog': driver('syslog', [...tagging, ...syslogOptions], (options) => {
    checkSyslog(options);
    checkTagging(options);
  }),
  'local': {
    ...driver('local', ['max-size', 'max-file', 'compress'], localBounds),
    unknown: (option) => `unknown log opt '${option}' for log driver local`,
  },
};

function driver(
  name: string,
  options: readonly string[],
  check: (options: LogOptions) => void,
): Driver {
  return {
    options: new Set([...commonOptions, ...options]),
    unknown: (option) => `unknown log opt '${option}' for ${name} log driver`,
    check,
  };
}

/** All that may be named in `LogConfig.Type`. */
export const logDrivers: readonly string[] = [...Object.keys(drivers), 'none'].sort();

function checkMode(options: LogOptions): void {
  const mode = options.mode ?? '';
  if (!['', 'blocking', 'non-blocking'].includes(mode)) {
    throw invalidParameter(`logger: logging mode not supported: ${mode}`);
  }
  const buffer = options['max-buffer-size'];
  if (buffer === undefined) return;
  if (mode !== 'non-blocking') {
    throw invalidParameter(
      "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
    );
  }
  if (parseSizeBytes(buffer) === undefined) {
    throw invalidParameter(`error parsing option max-buffer-size: invalid size: '${buffer}'`);
  }
}

function checkCache(options: LogOptions): void {
  for (const name of ['cache-disabled', 'cache-compress']) {
    const value = options[name];
    if (value !== undefined && parseBoolean(value) === undefined) {
      throw invalidParameter(`invalid value for option ${name}: ${value}`);
    }
  }
}

function checkTagging(options: LogOptions): void {
  checkTag(options.tag);
  checkRegex(options['labels-regex']);
  checkRegex(options['env-regex']);
}

function checkRegex(pattern: string | undefined): void {
  try {
    new RegExp(pattern ?? '');
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const reason = text.includes('character class')
      ? 'missing closing ]'
      : text.includes('group')
        ? 'missing closing )'
        : text;
    throw invalidParameter(`error parsing regexp: ${reason}: \`${pattern ?? ''}\``, error);
  }
}

function sizeOf(text: string, prefix = ''): number {
  const sizeBytes = parseSizeBytes(text);
  if (sizeBytes === undefined) throw invalidParameter(`${prefix}invalid size: '${text}'`);
  return sizeBytes;
}

function countOf(text: string, prefix = ''): number {
  const count = parseInteger(text);
  if (count !== undefined) return count;
  throw invalidParameter(`${prefix}strconv.Atoi: parsing "${text}": invalid syntax`);
}

function booleanOf(text: string, prefix = ''): boolean {
  const value = parseBoolean(text);
  if (value !== undefined) return value;
  throw invalidParameter(`${prefix}strconv.ParseBool: parsing "${text}": invalid syntax`);
}

/** -1 is Docker's word for no bound in its documentation, where ours has one. */
function jsonFileSize(size: string | undefined): number {
  if (size === undefined) return defaultMaxSizeBytes;
  if (size === '-1') return 0;
  const sizeBytes = sizeOf(size);
  if (sizeBytes === 0) throw invalidParameter('max-size must be a positive number');
  return sizeBytes;
}

function jsonFileBounds(options: LogOptions): LogBounds {
  const { 'max-size': size, 'max-file': files, compress: packed } = options;
  const maxSizeBytes = jsonFileSize(size);
  const maxFiles = files === undefined ? defaultMaxFiles : countOf(files);
  if (maxFiles < 1) throw invalidParameter('max-file cannot be less than 1');
  const compress = packed !== undefined && booleanOf(packed);
  if (compress && (maxFiles < 2 || maxSizeBytes === 0)) {
    throw invalidParameter(
      'compress cannot be true when max-file is less than 2 or max-size is not set',
    );
  }
  return { maxSizeBytes, maxFiles, compress };
}

function localBounds(options: LogOptions): LogBounds {
  const { 'max-size': size, 'max-file': files, compress: packed } = options;
  const wrong = (name: string, value: string): string => `invalid value for ${name}: ${value}: `;
  const given = size === undefined ? 0 : sizeOf(size, wrong('max-size', size));
  const maxFiles =
    files === undefined ? defaultMaxFiles : countOf(files, wrong('max-file', files));
  const compress =
    packed === undefined || booleanOf(packed, 'error reading compress log option: ');
  if (compress && maxFiles <= 1) {
    throw invalidParameter('compression cannot be enabled when max file count is 1');
  }
  const maxSizeBytes = given === 0 ? defaultMaxSizeBytes : given;
  return { maxSizeBytes, maxFiles: Math.max(1, maxFiles), compress };
}

/** The bounds that `options` ask for; throws `ApiError` 400 when they are no numbers. */
export function logBounds(name: string, options: LogOptions): LogBounds {
  if (name === 'local') return localBounds(options);
  return name === 'json-file' ? jsonFileBounds(options) : spoolBounds(options);
}

/** Files of a spool that nobody ships; each holds 20 MB. */
const maxSpoolFiles = 1000;

/**
 * A spool that blocks nobody: with `blocking`, the default, what has not been shipped stays; with
 * `non-blocking` no more than the cache is kept, or the buffer if that is larger.
 */
function spoolBounds(options: LogOptions): LogBounds {
  const kept = cacheBounds(options);
  if (options.mode !== 'non-blocking') return { ...kept, maxFiles: maxSpoolFiles };
  const bufferBytes = parseSizeBytes(options['max-buffer-size'] ?? '0') ?? 0;
  const files = Math.ceil(bufferBytes / kept.maxSizeBytes) + 1;
  return { ...kept, maxFiles: Math.min(maxSpoolFiles, Math.max(kept.maxFiles, files)) };
}

/** What stays of lines that were shipped, for `logs`. Docker passes over values that are none. */
export function cacheBounds(options: LogOptions): LogBounds {
  const size = parseSizeBytes(options['cache-max-size'] ?? '') ?? 0;
  const files = parseInteger(options['cache-max-file'] ?? '') ?? 0;
  return {
    maxSizeBytes: size > 0 ? size : defaultMaxSizeBytes,
    maxFiles: files > 0 ? files : defaultMaxFiles,
    compress: false,
  };
}

/** Whether there is a driver of this name. */
export const isLogDriver = (name: string): boolean =>
  name === 'none' || drivers[name] !== undefined;

/** Refuses drivers, options and values that are not; throws `ApiError` 400 in Docker's words. */
export function checkLogConfig(name: string, options: LogOptions): void {
  // Docker lets any option pass for a driver that writes nothing.
  if (name === 'none') return;
  const known = drivers[name];
  if (known === undefined) {
    throw invalidParameter(`logger: no log driver named '${name}' is registered`);
  }
  checkMode(options);
  checkCache(options);
  const stranger = Object.keys(options).find((option) => !known.options.has(option));
  if (stranger !== undefined) throw invalidParameter(known.unknown(stranger));
  known.check(options);
}
