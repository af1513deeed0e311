/** A scope of the user's own systemd: a group with what its session's has not, delegation. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSystemd } from '../../native/systemd.js';
import { until } from '../runtime/cgroup/files.js';

/** systemd's word for no limit. */
const unlimited = 2n ** 64n - 1n;

/** The socket of this user's systemd; undefined where none runs. */
export function userManager(): string | undefined {
  const folder = process.env['XDG_RUNTIME_DIR'] ?? '';
  const socket = join(folder, 'systemd/private');
  return folder !== '' && existsSync(socket) ? socket : undefined;
}

/**
 * Moves this process to a new scope, which goes with the last process in it. Rejects with
 * `ErrnoError` when systemd refuses or is not there, and with `ApiError` when it takes too long.
 */
export async function moveToScope(manager: string): Promise<void> {
  const unit = `tsdocker-rootless-${process.pid}-${Date.now()}.scope`;
  const systemd = openSystemd(manager);
  try {
    await systemd.startTransientUnit(unit, [
      { name: 'Description', type: 's', value: 'containers of tsdockerd --rootless' },
      { name: 'PIDs', type: 'au', value: [process.pid] },
      { name: 'Delegate', type: 'b', value: true },
      // The containers' are for them to set.
      { name: 'TasksMax', type: 't', value: unlimited },
      { name: 'CollectMode', type: 's', value: 'inactive-or-failed' },
    ]);
    await until(`start of ${unit}`, () => readFileSync('/proc/self/cgroup', 'utf8')
      .split('\n').some((line) => line.endsWith(`/${unit}`)));
  } finally {
    systemd.close();
  }
}
