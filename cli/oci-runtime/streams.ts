/** What a process has of its caller: the streams, or a terminal whose other side it takes. */
import * as fs from 'node:fs';
import { resolve } from 'node:path';
import { hostId } from '../../daemon/runtime/compile/id-maps.js';
import type { IdMapping, OciProcess } from '../../daemon/runtime/oci.js';
import { hasCode } from '../../native/errno-error.js';
import { sendFd, type Launching, type Slot } from '../../native/index.js';
import { OciError } from './oci-error.js';

/** Where the terminal's controlling side is to go, if anywhere. */
export interface StreamWish {
  readonly terminal: boolean;
  /** A unix socket, absolute. */
  readonly consoleSocket?: string;
  /** The shim keeps the terminal, for who attaches. */
  readonly keepsTerminal: boolean;
}

/** Throws `OciError` when the wishes contradict each other. */
export function streamsOf(wish: StreamWish): 'inherited' | 'shim' | 'console' {
  const { terminal, consoleSocket, keepsTerminal } = wish;
  if (terminal && consoleSocket === undefined && !keepsTerminal) {
    throw new OciError('a terminal needs --console-socket, or to stay in the foreground');
  }
  if (!terminal && consoleSocket !== undefined) {
    throw new OciError('--console-socket is of no use: $.process.terminal is not set');
  }
  if (!terminal) return 'inherited';
  return consoleSocket === undefined ? 'shim' : 'console';
}

/** The first descriptor after the standard streams. */
export const FIRST_PASSED = 3;

/** Throws `OciError` unless all that are to be passed on are open. */
export function checkOpen(preserved: number): void {
  for (let fd = FIRST_PASSED; fd < FIRST_PASSED + preserved; fd++) {
    try {
      fs.fstatSync(fd);
    } catch (error) {
      if (!hasCode(error, 'EBADF')) throw error;
      throw new OciError(`--preserve-fds ${preserved}: descriptor ${fd} is not open`, error);
    }
  }
}

/** So that the user may open /dev/stdout again. Devices and files stay whose they are. */
export function givePipes(
  { user }: OciProcess,
  uidMappings: readonly IdMapping[] | undefined,
): void {
  const uid = hostId(uidMappings, user.uid);
  if (uid === undefined || uid === 0) return;
  for (const fd of [0, 1, 2]) {
    const stat = fs.fstatSync(fd);
    if (!stat.isFIFO() && !stat.isSocket()) continue;
    try {
      fs.fchownSync(fd, uid, stat.gid);
    } catch (error) {
      if (!hasCode(error, 'EPERM', 'EINVAL', 'EROFS')) throw error;
    }
  }
}

/** The terminal's controlling side goes to the caller, and the shim lets go of it. */
export async function sendConsole(
  consoleSocket: string | undefined,
  slot: Slot | undefined,
  { shim }: Launching,
): Promise<void> {
  if (slot === undefined || consoleSocket === undefined) return;
  const fd = await shim.getFd({ kind: 'slot', slot });
  try {
    await sendFd(resolve(consoleSocket), fd, '/dev/ptmx');
  } finally {
    fs.closeSync(fd);
  }
  await shim.dropFd(slot);
}

/** By rename: who waits for the file reads a whole number. */
export function writePid(path: string | undefined, pid: number): void {
  if (path === undefined) return;
  fs.writeFileSync(`${path}.new`, String(pid), { mode: 0o644 });
  fs.renameSync(`${path}.new`, path);
}
