import { CWD, type Slot } from '../../../native/launch/opcodes.js';
import type { CgroupEntry } from '../cgroup/index.js';
import type { ProgramBuilder } from './builder.js';
import * as kernel from './kernel.js';

/** The host's part of entering a group: what the new process writes to, or is cloned into. */
export function openEntry(builder: ProgramBuilder, entry: CgroupEntry): readonly Slot[] {
  const paths = entry.kind === 'tasks' ? entry.files : [entry.folder];
  const flags = entry.kind === 'tasks' ? kernel.O_WRONLY : kernel.O_PATH | kernel.O_DIRECTORY;
  return paths.map((path) => {
    const out = builder.slot();
    const about = `cgroup ${path}`;
    builder.host.push({ op: 'openat2', out, dir: CWD, path, flags, mode: 0, resolve: 0, about });
    return out;
  });
}
