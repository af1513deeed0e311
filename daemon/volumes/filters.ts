/** Filters of `volume ls` and `volume prune`. Pure. */
import { invalidParameter } from '../../api-spec/errors.js';
import { isAnonymous, type VolumeRecord } from './book.js';

/** Values by filter name. */
export type Filters = Readonly<Record<string, readonly string[]>>;

/** Whether `volume ls` shows a volume; `inUse` is asked only if it matters. */
export function matchesList(
  volume: VolumeRecord,
  filters: Filters,
  inUse: (name: string) => boolean,
): boolean {
  const { name = [], driver = [], label = [] } = filters;
  const dangling = danglingOf(filters);
  return (
    (name.length === 0 || name.some((part) => volume.name.includes(part))) &&
    (driver.length === 0 || driver.includes(volume.driver)) &&
    label.every((wanted) => hasLabel(volume, wanted)) &&
    (dangling === undefined || dangling === !inUse(volume.name))
  );
}

/** Whether `volume prune` may take a volume that nothing uses. */
export function matchesPrune(volume: VolumeRecord, filters: Filters): boolean {
  const { label = [], 'label!': labelNot = [] } = filters;
  return (
    (pruneAll(filters) || isAnonymous(volume)) &&
    label.every((wanted) => hasLabel(volume, wanted)) &&
    // Docker spares only what has all of them.
    (labelNot.length === 0 || !labelNot.every((unwanted) => hasLabel(volume, unwanted)))
  );
}

function hasLabel({ labels }: VolumeRecord, wanted: string): boolean {
  const at = wanted.indexOf('=');
  if (at === -1) return Object.hasOwn(labels, wanted);
  const key = wanted.slice(0, at);
  return Object.hasOwn(labels, key) && labels[key] === wanted.slice(at + 1);
}

const truths = new Map([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((word) => [word, true] as const),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((word) => [word, false] as const),
]);

function danglingOf({ dangling = [] }: Filters): boolean | undefined {
  if (dangling.length === 0) return undefined;
  const values = dangling.map((word) => truths.get(word));
  const [first] = values;
  if (first === undefined || values.some((value) => value !== first)) {
    throw invalidParameter(`invalid filter 'dangling=[${dangling.join(' ')}]'`);
  }
  return first;
}

function pruneAll({ all = [] }: Filters): boolean {
  if (all.length === 0) return false;
  const [word = ''] = all;
  const value = truths.get(word);
  if (value === undefined || all.length > 1) {
    throw invalidParameter(
      `invalid filter 'all': strconv.ParseBool: parsing "${word}": invalid syntax`,
    );
  }
  return value;
}
