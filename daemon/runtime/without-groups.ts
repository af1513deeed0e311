/** The processes of a container where no control group lists them. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { codeOf } from '../../native/errno-error.js';
import type { ContainerRecord } from '../containers/record.js';

/** What vanishes while it is looked at is not there. */
function unlessGone<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (codeOf(error) !== '') return undefined;
    throw error;
  }
}

const namespaceOf = (pid: number | 'self'): string | undefined =>
  unlessGone(() => readlinkSync(`/proc/${pid}/ns/pid`));

/** Field 4 of /proc/<pid>/stat, behind a name that may hold anything. */
const parentOf = (pid: number): number | undefined =>
  unlessGone(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  });

/**
 * Those of its pid namespace; where that is the host's, the first process and what descends from
 * it.
 */
export function pidsWithout({ state }: ContainerRecord): readonly number[] {
  if (!('pid' in state)) return [];
  const { pid } = state;
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);
  const own = namespaceOf(pid);
  if (own === undefined) return [];
  if (own !== namespaceOf('self')) return all.filter((each) => namespaceOf(each) === own);
  const found = new Set([pid]);
  const parents = new Map(all.map((each) => [each, parentOf(each)]));
  for (let before = 0; before < found.size;) {
    before = found.size;
    for (const [each, parent] of parents) {
      if (parent !== undefined && found.has(parent)) found.add(each);
    }
  }
  return [...found];
}
