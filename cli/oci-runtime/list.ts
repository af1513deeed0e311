import * as fs from 'node:fs';
import { hasCode } from '../../native/errno-error.js';
import { state } from './state.js';
import { groupOf, listIds, readRecord } from './store.js';

/** For people, or for programs. */
export type Format = 'table' | 'json';

/** All containers, by id. */
export async function list(root: string, format: Format, quiet: boolean): Promise<string> {
  const ids = [...listIds(root)].sort();
  if (quiet) return lines(ids);
  const all = await Promise.all(ids.map((id) => state(root, id)));
  if (format === 'json') return `${JSON.stringify(all.map((each) => ({ pid: 0, ...each })))}\n`;
  const rows = all.map(({ id, pid = 0, status, bundle, created }) => [
    id, String(pid), status, bundle, created,
  ]);
  return table([['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED'], ...rows]);
}

/** The processes of one; with `json` only their numbers, as containerd and podman read them. */
export function ps(root: string, id: string, format: Format): string {
  const record = readRecord(root, id);
  const pids = groupOf(record).pids();
  if (format === 'json') return `${JSON.stringify(pids)}\n`;
  return table([['UID', 'PID', 'PPID', 'CMD'], ...pids.flatMap(processRow)]);
}

/** None for one that has ended meanwhile. */
function processRow(pid: number): readonly (readonly string[])[] {
  try {
    const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
    const field = (name: string): string =>
      new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1] ?? '?';
    const command = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim();
    return [[field('Uid'), String(pid), field('PPid'), command || `[${field('Name')}]`]];
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return [];
    throw error;
  }
}

const lines = (all: readonly string[]): string => all.map((each) => `${each}\n`).join('');

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return lines(
    rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('   ').trimEnd()),
  );
}
