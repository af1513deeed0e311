/** How far a spool has been shipped: kept beside it, so that the next daemon goes on from there. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { hasCode } from '../../../native/errno-error.js';
import type { FileIdentity } from '../log-files.js';

/** A place in a spool. */
export interface SpoolCursor {
  readonly identity: FileIdentity;
  readonly offset: number;
}

/** Undefined when nothing has been shipped yet, or the file cannot be understood. */
export async function readCursor(path: string): Promise<SpoolCursor | undefined> {
  try {
    const [inode = '', birthNs = '', offset = ''] = (await readFile(path, 'utf8')).split(' ');
    const at = Number(offset);
    if (!Number.isSafeInteger(at) || at < 0) return undefined;
    return { identity: { inode: BigInt(inode), birthNs: BigInt(birthNs) }, offset: at };
  } catch (error) {
    const isAbsent = hasCode(error, 'ENOENT');
    if (isAbsent || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** By rename, so that there is always a whole one. */
export async function writeCursor(path: string, cursor: SpoolCursor): Promise<void> {
  const { inode, birthNs } = cursor.identity;
  await writeFile(`${path}.draft`, `${inode} ${birthNs} ${cursor.offset}`, { mode: 0o600 });
  await rename(`${path}.draft`, path);
}
