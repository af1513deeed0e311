import { resolve } from 'node:path';
import type { BindOptions, Mount, TmpfsOptions, VolumeOptions } from '../../api-spec/mounts.js';
import { CommandError, UsageError } from '../errors.js';
import { parseSizeBytes } from '../flag-values.js';
import { csvFields, pairsOf } from './pairs.js';

/** What `--volume` comes to: paths of the host and named volumes, and anonymous volumes. */
export interface VolumePlan {
  readonly binds: string[];
  readonly anonymous: Record<string, Record<string, never>>;
}

/** Reads `-v`; a path of the host that begins with a dot is made absolute here. */
export function planVolumes(given: readonly string[]): VolumePlan {
  const plan: VolumePlan = { binds: [], anonymous: {} };
  for (const spec of given) {
    const colon = spec.indexOf(':');
    if (spec === '' || spec === ':') throw new CommandError('invalid empty volume spec', 125);
    if (colon < 0) plan.anonymous[spec] = {};
    else {
      const source = spec.slice(0, colon);
      const shown = source.startsWith('.') ? resolve(source) : source;
      plan.binds.push(`${shown}${spec.slice(colon)}`);
    }
  }
  return plan;
}

/** Reads `--tmpfs path[:options]`. */
export function planTmpfs(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((spec): [string, string] => {
      const colon = spec.indexOf(':');
      return colon < 0 ? [spec, ''] : [spec.slice(0, colon), spec.slice(colon + 1)];
    }),
  );
}

interface Draft {
  type: string;
  source: string;
  target: string;
  readOnly: boolean;
  consistency: string;
  bind: { -readonly [Key in keyof BindOptions]: BindOptions[Key] };
  volume: { -readonly [Key in keyof VolumeOptions]: VolumeOptions[Key] };
  volumeLabels: string[];
  volumeOptions: string[];
  volumeDriver: string;
  tmpfs: { -readonly [Key in keyof TmpfsOptions]: TmpfsOptions[Key] };
  imageSubpath: string;
}

/** Reads one `--mount type=bind,source=…,target=…`. Throws CommandError in Docker's words. */
export function readMount(spec: string): Mount {
  const draft: Draft = {
    type: 'volume',
    source: '',
    target: '',
    readOnly: false,
    consistency: '',
    bind: {},
    volume: {},
    volumeLabels: [],
    volumeOptions: [],
    volumeDriver: '',
    tmpfs: {},
    imageSubpath: '',
  };
  for (const field of csvFields(spec)) readField({ spec, draft }, field);
  if (draft.target === '') fail(spec, 'target is required');
  return finish(draft);
}

interface Reading {
  readonly spec: string;
  readonly draft: Draft;
}

function readField({ spec, draft }: Reading, field: string): void {
  const equals = field.indexOf('=');
  const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
  const value = equals < 0 ? undefined : field.slice(equals + 1);
  const setSwitch = switches[key];
  if (setSwitch !== undefined) return setSwitch(draft, readSwitch(key, value));
  const setText = texts[key];
  if (value === undefined) fail(spec, `invalid field '${field}' must be a key=value pair`);
  if (setText === undefined) fail(spec, `unexpected key '${key}' in '${field}'`);
  setText(draft, value);
}

const switches: Readonly<Record<string, (draft: Draft, value: boolean) => void>> = {
  readonly: (draft, value) => void (draft.readOnly = value),
  ro: (draft, value) => void (draft.readOnly = value),
  'volume-nocopy': (draft, value) => void (draft.volume.NoCopy = value),
  'bind-nonrecursive': (draft, value) => void (draft.bind.NonRecursive = value),
  'bind-create-src': (draft, value) => void (draft.bind.CreateMountpoint = value),
};

const texts: Readonly<Record<string, (draft: Draft, value: string) => void>> = {
  type: (draft, value) => void (draft.type = value.toLowerCase()),
  source: setSource,
  src: setSource,
  target: (draft, value) => void (draft.target = value),
  dst: (draft, value) => void (draft.target = value),
  destination: (draft, value) => void (draft.target = value),
  consistency: (draft, value) => void (draft.consistency = value.toLowerCase()),
  'bind-propagation': (draft, value) => void (draft.bind.Propagation = value.toLowerCase()),
  'bind-recursive': setRecursive,
  'volume-subpath': (draft, value) => void (draft.volume.Subpath = value),
  'volume-label': (draft, value) => void draft.volumeLabels.push(value),
  'volume-driver': (draft, value) => void (draft.volumeDriver = value),
  'volume-opt': (draft, value) => void draft.volumeOptions.push(value),
  'image-subpath': (draft, value) => void (draft.imageSubpath = value),
  'tmpfs-size': (draft, value) => void (draft.tmpfs.SizeBytes = parseSizeBytes(value)),
  'tmpfs-mode': (draft, value) => void (draft.tmpfs.Mode = parseInt(value, 8)),
};

function setSource(draft: Draft, value: string): void {
  const isRelative = value === '.' || value.startsWith('./') || value.startsWith('..');
  draft.source = isRelative ? resolve(value) : value;
}

function setRecursive(draft: Draft, value: string): void {
  if (value === 'enabled') return;
  if (value === 'disabled') draft.bind.NonRecursive = true;
  else if (value === 'writable') draft.bind.ReadOnlyNonRecursive = true;
  else if (value === 'readonly') draft.bind.ReadOnlyForceRecursive = true;
  else {
    fail(
      value,
      `invalid value for bind-recursive: ${value} (must be "enabled", "disabled", "writable", ` +
        'or "readonly")',
    );
  }
}

function readSwitch(key: string, value: string | undefined): boolean {
  if (value === undefined || value === 'true' || value === '1') return true;
  if (value === 'false' || value === '0') return false;
  return fail(value, `invalid value for ${key}: ${value}`);
}

function finish(draft: Draft): Mount {
  const volume = {
    ...draft.volume,
    ...(draft.volumeLabels.length === 0 ? {} : { Labels: pairsOf(draft.volumeLabels) }),
    ...(draft.volumeDriver === '' && draft.volumeOptions.length === 0
      ? {}
      : { DriverConfig: { Name: draft.volumeDriver, Options: pairsOf(draft.volumeOptions) } }),
  };
  return {
    Type: draft.type,
    ...(draft.source === '' ? {} : { Source: draft.source }),
    Target: draft.target,
    ...(draft.readOnly ? { ReadOnly: true } : {}),
    ...(draft.consistency === '' ? {} : { Consistency: draft.consistency }),
    ...part('BindOptions', draft.bind),
    ...part('VolumeOptions', volume),
    ...part('TmpfsOptions', draft.tmpfs),
    ...(draft.imageSubpath === '' ? {} : { ImageOptions: { Subpath: draft.imageSubpath } }),
  };
}

function part(name: string, fields: object): object {
  return Object.keys(fields).length === 0 ? {} : { [name]: fields };
}

function fail(spec: string, reason: string): never {
  throw new UsageError(`invalid argument "${spec}" for "--mount" flag: ${reason}`);
}
