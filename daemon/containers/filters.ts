/** Which containers `ps --filter` and `prune --filter` mean: pure, in Docker's words. */
import { invalidParameter } from '../../api-spec/errors.js';
import type { Book } from './book.js';
import type { Container } from './container.js';
import { lastExitCode } from './container.js';

/** Docker's filters: values of one key are alternatives, keys must all hold. */
export type Filters = Readonly<Record<string, readonly string[]>>;

/** What a filter may ask beyond the container itself. */
export interface FilterWorld {
  readonly book: Book;
  /** IDs of the image that `name` means, and of all that were built on it. */
  readonly imagesBelow: (name: string) => ReadonlySet<string>;
}

type Predicate = (container: Container) => boolean;
type Make = (value: string, world: FilterWorld) => Predicate;

const statuses = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];

const makers: Readonly<Record<string, Make>> = {
  ancestor: (value, { imagesBelow }) => {
    const ids = imagesBelow(value);
    return ({ record }) => ids.has(record.imageId);
  },
  before: (value, { book }) => {
    const { record: other } = book.resolve(value);
    return ({ record }) => record.createdAtMs < other.createdAtMs;
  },
  since: (value, { book }) => {
    const { record: other } = book.resolve(value);
    return ({ record }) => record.createdAtMs > other.createdAtMs;
  },
  exited: (value) => {
    if (!/^-?\d+$/.test(value)) {
      throw invalidParameter(
        `invalid filter 'exited=${value}': strconv.Atoi: parsing "${value}": invalid syntax`,
      );
    }
    return ({ record }) =>
      record.state.status === 'exited' && lastExitCode(record) === Number(value);
  },
  id: (value) => ({ id }) => id.startsWith(value),
  name: byName,
  label: byLabel,
  'label!': (value) => {
    const has = byLabel(value);
    return (container) => !has(container);
  },
  status: (value) => {
    if (!statuses.includes(value)) throw invalidParameter(`invalid filter 'status=${value}'`);
    return ({ record }) => record.state.status === value;
  },
  health: (value) => {
    if (!['none', 'starting', 'healthy', 'unhealthy'].includes(value)) {
      throw invalidParameter(`unrecognized filter value for health: ${value}`);
    }
    return ({ health }) => value === (health?.status ?? 'none');
  },
  // Of Windows: here it means nothing, whatever it is.
  isolation: () => () => true,
  'is-task': (value) => {
    const isTask = filterFlag('is-task', value);
    return () => !isTask;
  },
  volume:
    (value) =>
    ({ record }) =>
      record.mounts.some(({ Name, Source, Destination }) =>
        [Name, Source, Destination].includes(value),
      ),
  network:
    (value) =>
    ({ record, sandbox }) =>
      Object.entries(sandbox?.endpoints ?? record.endpoints).some(
        ([name, { NetworkID = '' }]) =>
          name === value || (NetworkID !== '' && NetworkID.startsWith(value)),
      ),
  publish: (value) => {
    const wanted = parsePorts(value, 'publish');
    return ({ sandbox }) =>
      Object.entries(sandbox?.ports ?? {}).some(([port, bindings]) =>
        (bindings ?? []).some(({ HostPort }) => wanted(`${HostPort}/${port.split('/')[1]}`)),
      );
  },
  expose: (value) => {
    const wanted = parsePorts(value, 'expose');
    return ({ record }) =>
      Object.keys(record.config.ExposedPorts ?? {}).some((port) => wanted(port));
  },
  until: byAge,
};

/** The names that listing knows; others are refused before they come here. */
export const containerFilterNames: readonly string[] = Object.keys(makers);

/**
 * One test out of all filters: of one name any value will do (of labels all must), and every name
 * must agree. `ApiError` 400 or 404 for values that mean nothing.
 */
export function compileFilters(filters: Filters, world: FilterWorld): Predicate {
  const tests = Object.entries(filters).map(([name, values]) => {
    const make = makers[name];
    if (make === undefined) throw invalidParameter(`invalid filter '${name}'`);
    const predicates = values.map((value) => make(value, world));
    // Of `label!` one that is missing will do: Docker spares only who has all of them.
    const all = name === 'label';
    return (container: Container): boolean =>
      predicates.length === 0 ||
      (all
        ? predicates.every((passes) => passes(container))
        : predicates.some((passes) => passes(container)));
  });
  return (container) => tests.every((passes) => passes(container));
}

/**
 * A regular expression over the name with and without its slash; of a broken one only the letters.
 */
function byName(value: string): Predicate {
  let pattern: RegExp | undefined;
  try {
    pattern = new RegExp(value);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return ({ record: { name } }) =>
    pattern === undefined
      ? name === value.replace(/^\//, '')
      : pattern.test(name) || pattern.test(`/${name}`);
}

function byLabel(value: string): Predicate {
  const at = value.indexOf('=');
  return ({ record: { config } }) => {
    const labels = config.Labels ?? {};
    if (at < 0) return labels[value] !== undefined;
    return labels[value.slice(0, at)] === value.slice(at + 1);
  };
}

/**
 * `80`, `80/udp`, `8000-8010/tcp` → whether a port such as `80/tcp` is meant. What follows a second
 * dash or slash is passed over, as Docker does.
 */
function parsePorts(value: string, name: string): (port: string) => boolean {
  if (value.includes(':')) {
    throw invalidParameter(`filter for '${name}' should not contain ':': ${value}`);
  }
  const [range = '', protocol = ''] = value.split('/');
  const wrong = (why: string): Error =>
    invalidParameter(`error while looking up for ${name} ${value}: ${why}`);
  if (range === '') throw wrong('Empty string specified for ports.');
  const [first = 0, last = first] = range.split('-').slice(0, 2).map((text) => {
    const number = Number(text);
    const isNumber = /^\d+$/.test(text);
    if (isNumber && number <= MAX_PORT) return number;
    const why = isNumber ? 'value out of range' : 'invalid syntax';
    throw wrong(`strconv.ParseUint: parsing ${JSON.stringify(text)}: ${why}`);
  });
  if (last < first) throw wrong(`Invalid range specified for the Port: ${range}`);
  return (port) => {
    const [number, own = 'tcp'] = port.split('/');
    return own === (protocol || 'tcp') && Number(number) >= first && Number(number) <= last;
  };
}

const MAX_PORT = 65_535;

/** A value that is a yes or a no; `ApiError` 400 for another. */
export function filterFlag(name: string, value: string): boolean {
  if (['1', 'true'].includes(value.toLowerCase())) return true;
  if (['0', 'false'].includes(value.toLowerCase())) return false;
  throw invalidParameter(`invalid filter '${name}=[${value}]'`);
}

/** `until`: a time, or an age such as `24h`, `90m` (Go's durations). */
function byAge(value: string): Predicate {
  const beforeMs = untilMs(value, Date.now());
  return ({ record }) => record.createdAtMs < beforeMs;
}

const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** The time that a filter `until` means, in ms since the epoch; `ApiError` 400 for none. */
export function untilMs(value: string, nowMs: number): number {
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)];
  if (parts.length > 0 && parts.map(([text]) => text).join('') === value) {
    return (
      nowMs -
      parts.reduce((sum, [, count, unit]) => sum + Number(count) * (unitMs[unit ?? ''] ?? 0), 0)
    );
  }
  const time = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : Date.parse(value);
  if (Number.isNaN(time)) {
    throw invalidParameter(`failed to parse value as time or duration: "${value}"`);
  }
  return time;
}
