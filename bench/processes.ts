import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';

const pageBytes = 4096;

/** The proportional share of memory of a process in bytes; undefined once it is gone. */
export function proportionalBytes(pid: number): number | undefined {
  const text = readProc(pid, 'smaps_rollup');
  const kilobytes = /^Pss:\s+(\d+) kB/m.exec(text ?? '')?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

/** The resident memory of a process in bytes; 0 once it is gone. */
export function residentBytes(pid: number): number {
  const pages = readProc(pid, 'statm')?.split(' ')[1];
  return pages === undefined ? 0 : Number(pages) * pageBytes;
}

/** The parent of a process. */
export function parentOf(pid: number): number | undefined {
  const text = readProc(pid, 'stat');
  // The name is in parentheses and may hold anything.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields === undefined ? undefined : Number(fields[1]);
}

/** A process and all its descendants whose name is one of `names`. */
export function family(root: number, names: readonly string[]): readonly number[] {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = new Map(all.map((pid) => [pid, parentOf(pid)]));
  const belongs = (pid: number): boolean => {
    for (let at: number | undefined = pid; at !== undefined && at > 1; at = parents.get(at)) {
      if (at === root) return true;
    }
    return false;
  };
  return all.filter((pid) => belongs(pid) && (pid === root || names.includes(nameOf(pid))));
}

/** The process of this name whose command line holds `word`; undefined if there is none. */
export function findProcess(name: string, word: string): number | undefined {
  const all = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry)).map(Number);
  const named = all.filter((pid) => nameOf(pid) === name);
  return named.find((pid) => (readProc(pid, 'cmdline') ?? '').includes(word)) ?? named[0];
}

function nameOf(pid: number): string {
  return (readProc(pid, 'comm') ?? '').trim();
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch (problem) {
    if (problem instanceof Error && 'code' in problem) return undefined;
    throw problem;
  }
}

/** Waits until nothing is left to be written to any disk. */
export async function diskAtRest(): Promise<void> {
  await promisify(execFile)('sync');
}
