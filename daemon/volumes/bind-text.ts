/** `source:destination:mode` of `Binds`. Pure; errors are 400 in Docker's words. */
import { invalidParameter } from '../../api-spec/errors.js';
import {
  type BindSpec,
  cleanDestination,
  cleanSource,
  type MountSpec,
  propagations,
  type VolumeSpec,
} from './mount-spec.js';

const labels = new Set(['z', 'Z']);
const consistencies = new Set(['default', 'consistent', 'cached', 'delegated']);
const kindsOfWord: readonly ReadonlySet<string>[] = [
  new Set(['ro', 'rw']),
  labels,
  propagations,
  new Set(['nocopy']),
  consistencies,
];

/** Whether `mode` holds known words only, of each kind at most one. */
export function isMode(mode: string): boolean {
  if (mode === '') return true;
  const seen = new Set<ReadonlySet<string>>();
  return mode.split(',').every((word) => {
    const kind = kindsOfWord.find((words) => words.has(word));
    if (kind === undefined || seen.has(kind)) return false;
    seen.add(kind);
    return true;
  });
}

/** Throws 400 for a mode that is none. */
export function checkMode(mode: string): void {
  if (!isMode(mode)) throw invalidParameter(`invalid mode: ${mode}`);
}

/** Reads one entry of `Binds`; `driver` is `HostConfig.VolumeDriver`. */
export function bindText(text: string, driver: string): MountSpec {
  const { source, destination, mode } = split(text);
  checkMode(mode);
  const words = mode === '' ? [] : mode.split(',');
  const isBind = source.startsWith('/');
  const type = isBind ? 'bind' : 'volume';
  const refuse = (why: string): Error =>
    refusal(text, `invalid mount config for type "${type}": ${why}`);
  const target = cleanDestination(destination, refuse);
  return isBind
    ? bindOf({ source, target, mode, words, refuse })
    : volumeOf({ source, target, mode, words, refuse }, driver);
}

interface Parts {
  readonly source: string;
  readonly target: string;
  readonly mode: string;
  readonly words: readonly string[];
  readonly refuse: (why: string) => Error;
}

function bindOf({ source, target, mode, words, refuse }: Parts): BindSpec {
  if (words.includes('nocopy')) throw refuse('field VolumeOptions must not be specified');
  const readonly = words.includes('ro');
  return {
    type: 'bind',
    source: cleanSource(source),
    destination: target,
    readonly,
    mode,
    propagation: words.find((word) => propagations.has(word)) ?? 'rprivate',
    recursive: true,
    recursiveReadonly: readonly,
    create: true,
  };
}

function volumeOf({ source, target, mode, words, refuse }: Parts, driver: string): VolumeSpec {
  if (words.some((word) => propagations.has(word))) {
    throw refuse('field BindOptions must not be specified');
  }
  return {
    type: 'volume',
    name: source,
    destination: target,
    readonly: words.includes('ro'),
    mode: mode === '' ? 'z' : mode,
    subpath: '',
    copy: !words.includes('nocopy'),
    driver,
    driverOptions: {},
    labels: {},
  };
}

/** One part is an anonymous volume's place; a mode right behind one would be taken for a path. */
function split(text: string): { source: string; destination: string; mode: string } {
  const parts = text.split(':');
  const [first = '', second, third] = parts;
  if (parts.length > 3 || first === '' || second === '') throw refusal(text);
  if (second === undefined) return { source: '', destination: first, mode: '' };
  if (third === undefined && isMode(second)) throw refusal(text);
  return { source: first, destination: second, mode: third ?? '' };
}

function refusal(text: string, why?: string): Error {
  const detail = why === undefined ? '' : `: ${why}`;
  return invalidParameter(`invalid volume specification: '${text}'${detail}`);
}
