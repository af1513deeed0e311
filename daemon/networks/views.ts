/** Networks as list and inspect show them, and the filters of list and prune. */
import type { EndpointResource, NetworkInspect } from '../../api-spec/index.js';
import { invalidParameter } from '../../api-spec/errors.js';
import { currentName, type Context } from './context.js';
import type { NetworkRecord } from './records.js';

type Filters = Readonly<Record<string, readonly string[]>>;

/** One network as a list shows it: without its containers. */
export function networkView(record: NetworkRecord): NetworkInspect {
  const { spec } = record;
  return {
    Name: spec.name,
    Id: spec.id,
    Created: record.created,
    Scope: 'local',
    Driver: spec.driver,
    EnableIPv4: true,
    EnableIPv6: record.enableIPv6,
    IPAM: {
      Driver: record.ipamDriver,
      Options: record.ipamOptions === null ? null : { ...record.ipamOptions },
      Config: record.ipamConfig === null ? null : [...record.ipamConfig],
    },
    Internal: spec.internal,
    Attachable: record.attachable,
    Ingress: false,
    ConfigFrom: { Network: record.configFrom },
    ConfigOnly: record.configOnly,
    Containers: {},
    Options: { ...spec.options },
    Labels: { ...record.labels },
  };
}

/** One network with the live containers on it, by container id. */
export function networkInspect(context: Context, record: NetworkRecord): NetworkInspect {
  const seats = context.book.seatsOn(record.spec.id).map(({ sandbox, endpoint }) => {
    const find = (isSix: boolean): string =>
      endpoint.spec.addresses.find((address) => address.includes(':') === isSix) ?? '';
    const resource: EndpointResource = {
      Name: currentName(context, sandbox),
      EndpointID: endpoint.spec.id,
      MacAddress: endpoint.spec.mac,
      IPv4Address: find(false),
      IPv6Address: find(true),
    };
    return [sandbox.containerId, resource] as const;
  });
  return { ...networkView(record), Containers: Object.fromEntries(seats) };
}

const listFilters = new Set(['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type']);
const pruneFilters = new Set(['label', 'label!', 'until']);

/** Whether a network is wanted by list; `ApiError` 400 for a filter that is none. */
export function matchesList(
  record: NetworkRecord,
  filters: Filters,
  isUsed: boolean,
): boolean {
  const { spec, labels } = record;
  const any = (key: string, test: (value: string) => boolean): boolean =>
    (filters[key]?.length ?? 0) === 0 || (filters[key] ?? []).some(test);
  return (
    any('id', (value) => spec.id.startsWith(value)) &&
    any('name', (value) => spec.name.includes(value)) &&
    any('driver', (value) => spec.driver === value) &&
    any('scope', (value) => value === 'local') &&
    any('type', (value) => (value === 'builtin') === record.isPredefined) &&
    any('dangling', (value) => isTrue(value) === (!isUsed && !record.isPredefined)) &&
    (filters['label'] ?? []).every((value) => hasLabel(labels, value))
  );
}

/** Refuses unknown filters and values before anything is listed. */
export function checkListFilters(filters: Filters): void {
  checkNames(filters, listFilters);
  for (const value of filters['type'] ?? []) {
    if (value !== 'builtin' && value !== 'custom') {
      throw invalidParameter(`invalid filter: 'type'='${value}'`);
    }
  }
  const dangling = filters['dangling'] ?? [];
  if (dangling.length > 1) {
    throw invalidParameter('got more than one value for filter key "dangling"');
  }
  for (const value of dangling) isTrue(value);
}

function isTrue(value: string): boolean {
  if (value === 'true' || value === '1') return true;
  if (value === 'false' || value === '0') return false;
  throw invalidParameter(
    'invalid value for filter \'dangling\', must be "true" (or "1"), or "false" (or "0")');
}

/** Whether a network is wanted by prune; `untilMs` since the epoch. */
export function matchesPrune(record: NetworkRecord, filters: Filters, nowMs: number): boolean {
  const labels = filters['label'] ?? [];
  const without = filters['label!'] ?? [];
  return (
    labels.every((value) => hasLabel(record.labels, value)) &&
    // Docker spares only what has all of them.
    (without.length === 0 || !without.every((value) => hasLabel(record.labels, value))) &&
    (filters['until'] ?? []).every((value) => Date.parse(record.created) < untilMs(value, nowMs))
  );
}

/** Refuses unknown filters and values before anything is removed. */
export function checkPruneFilters(filters: Filters, nowMs: number): void {
  checkNames(filters, pruneFilters);
  for (const value of filters['until'] ?? []) untilMs(value, nowMs);
}

function checkNames(filters: Filters, known: ReadonlySet<string>): void {
  for (const name of Object.keys(filters)) {
    if (!known.has(name)) throw invalidParameter(`invalid filter '${name}'`);
  }
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf('=');
  if (equals < 0) return Object.hasOwn(labels, wanted);
  return labels[wanted.slice(0, equals)] === wanted.slice(equals + 1);
}

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A moment: seconds since the epoch, RFC 3339, or a Go duration before now. */
function untilMs(value: string, nowMs: number): number {
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1000;
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length > 0 && parts.map(([whole]) => whole).join('') === value) {
    const durations = parts.map(([, count, unit = 's']) => Number(count) * (unitsMs[unit] ?? 0));
    return nowMs - durations.reduce((sum, duration) => sum + duration, 0);
  }
  const parsed = Date.parse(value);
  if (Number.isNaN(parsed)) {
    throw invalidParameter(`failed to parse value as time or duration: "${value}"`);
  }
  return parsed;
}
