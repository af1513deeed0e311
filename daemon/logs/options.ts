/** Which log drivers there are, which options they take, and what these mean for the shim. */
import { invalidParameter } from '../../api-spec/errors.js';
import { parseBoolean, parseInteger, parseSizeBytes } from '../config/units.js';

const commonOptions = ['mode', 'max-buffer-size'];

const tagging = ['labels', 'labels-regex', 'env', 'env-regex', 'tag'];

const driverOptions: Readonly<Record<string, ReadonlySet<string>>> = {
  'json-file': new Set([...commonOptions, ...tagging, 'max-size', 'max-file', 'compress']),
  'local': new Set([...commonOptions, 'max-size', 'max-file', 'compress']),
  'none': new Set(),
};

/** Five files of 20 MB: unlike Docker's json-file, ours is bounded when nothing is said. */
const defaultMaxSizeBytes = 20 * 1000 * 1000;
const defaultMaxFiles = 5;

type Options = Readonly<Record<string, string>>;

/** The bounds of a container's log. */
export interface LogBounds {
  /** 0 for no bound. */
  readonly maxSizeBytes: number;
  /** Files in all, the current one counted. */
  readonly maxFiles: number;
}

function unknownOption(driver: string, option: string): Error {
  return invalidParameter(
    driver === 'json-file'
      ? `unknown log opt '${option}' for json-file log driver`
      : `unknown log opt '${option}' for log driver ${driver}`,
  );
}

function checkMode(options: Options): void {
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

function maxSizeBytes(text: string | undefined): number {
  if (text === undefined) return defaultMaxSizeBytes;
  // Docker's way to say that the file may grow for ever.
  if (text === '-1') return 0;
  const sizeBytes = parseSizeBytes(text);
  if (sizeBytes === undefined) throw invalidParameter(`invalid size: '${text}'`);
  return sizeBytes;
}

function maxFiles(text: string | undefined): number {
  if (text === undefined) return defaultMaxFiles;
  const count = parseInteger(text);
  if (count === undefined)
    throw invalidParameter(`strconv.Atoi: parsing "${text}": invalid syntax`);
  if (count < 1) throw invalidParameter('max-file cannot be less than 1');
  return count;
}

/** The bounds that `options` ask for; throws `ApiError` 400 when they are no numbers. */
export function logBounds(options: Options): LogBounds {
  return {
    maxSizeBytes: maxSizeBytes(options['max-size']),
    maxFiles: maxFiles(options['max-file']),
  };
}

/** Refuses drivers, options and values that are not; throws `ApiError` 400 in Docker's words. */
export function checkLogConfig(driver: string, options: Options): void {
  const known = driverOptions[driver];
  if (known === undefined) {
    throw invalidParameter(`logger: no log driver named '${driver}' is registered`);
  }
  // Docker lets any option pass for a driver that writes nothing.
  if (driver === 'none') return;
  const stranger = Object.keys(options).find((option) => !known.has(option));
  if (stranger !== undefined) throw unknownOption(driver, stranger);
  checkMode(options);
  logBounds(options);
  const compress = options.compress;
  if (compress !== undefined && parseBoolean(compress) === undefined) {
    throw invalidParameter(`strconv.ParseBool: parsing "${compress}": invalid syntax`);
  }
}
