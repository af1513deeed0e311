/** `update`: new limits for a container that lives. */
import * as fs from 'node:fs';
import type { OciResources } from '../../daemon/runtime/oci.js';
import { parseFlagValue } from '../flag-values.js';
import type { Flags, Given } from './arguments.js';
import { JsonValue } from './json-value.js';
import { OciError } from './oci-error.js';
import { parseResources } from './parse-resources.js';
import { groupOf, readRecord, statusOf, withLock } from './store.js';

/** A flag's place in `linux.resources`, and what it is. */
const limits = {
  'blkio-weight': ['blockIO', 'weight', 'integer'],
  'cpu-period': ['cpu', 'period', 'integer'],
  'cpu-quota': ['cpu', 'quota', 'integer'],
  'cpu-share': ['cpu', 'shares', 'integer'],
  'cpu-rt-period': ['cpu', 'realtimePeriod', 'integer'],
  'cpu-rt-runtime': ['cpu', 'realtimeRuntime', 'integer'],
  'cpuset-cpus': ['cpu', 'cpus', 'text'],
  'cpuset-mems': ['cpu', 'mems', 'text'],
  memory: ['memory', 'limit', 'size'],
  'memory-reservation': ['memory', 'reservation', 'size'],
  'memory-swap': ['memory', 'swap', 'size'],
  'pids-limit': ['pids', 'limit', 'integer'],
} as const;

/** The flags of `update`: a file of limits, or one each. */
export const updateFlags: Flags = {
  resources: { type: 'string', short: 'r' },
  ...Object.fromEntries(Object.keys(limits).map((name) => [name, { type: 'string' as const }])),
};

/** Throws `OciError` for what is no limit; `input` is read when the file is `-`. Pure otherwise. */
export function resourcesOf(flags: Given, input: () => string): OciResources {
  const file = flags.text('resources');
  const json =
    file === undefined ? fromFlags(flags) : parseJson(file === '-' ? input() : readText(file));
  // Devices are what they were: only `create` has rules that every container has.
  return { ...parseResources(new JsonValue(json, '$', file ?? 'update')), devices: [] };
}

function readText(file: string): string {
  return fs.readFileSync(file, 'utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new OciError(`resources: ${error instanceof Error ? error.message : ''}`, error);
  }
}

function fromFlags(flags: Given): unknown {
  const all: Record<string, Record<string, unknown>> = {};
  for (const [name, [group, field, kind]] of Object.entries(limits)) {
    const text = flags.text(name);
    if (text === undefined) continue;
    (all[group] ??= {})[field] = kind === 'text' ? text : parseFlagValue(kind, text, `--${name}`);
  }
  return all;
}

/** Throws `OciError` when it has stopped. */
export async function update(root: string, id: string, resources: OciResources): Promise<void> {
  await withLock(root, id, async () => {
    const record = readRecord(root, id);
    const status = await statusOf(root, record);
    if (status === 'stopped' || status === 'creating') {
      throw new OciError(`cannot update a container that is ${status}`);
    }
    await groupOf(record).update(resources);
  });
}
