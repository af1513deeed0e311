/** A blob that another process writes through an fd, and measures as it does. */
import { link, open, rm } from 'node:fs/promises';
import { hasCode } from '../../native/errno-error.js';
import { renameDurably } from './durable.js';

/** Exactly one of `commit` and `abort` ends it; `abort` may follow a failure. */
export interface Draft {
  /** Open for writing; closed by the end of the draft. */
  readonly fd: number;
  /** Makes it durable and shows it under `digest`, which the writer vouches for. */
  commit(digest: string): Promise<void>;
  /** Shows it without making it durable; the path that has to be synced for that. */
  show(digest: string): Promise<string>;
  /** Removes it; idempotent, and nothing after a commit. */
  abort(): Promise<void>;
}

/** Opens a temporary file at `path`; `target` is where a blob of that digest is to be. */
export async function openDraft(
  path: string,
  target: (digest: string) => string,
): Promise<Draft> {
  const file = await open(path, 'wx', 0o600);
  let ended = false;
  const end = async (): Promise<void> => {
    if (ended) return;
    ended = true;
    await file.close();
  };
  return {
    fd: file.fd,
    async commit(digest) {
      await file.sync();
      await end();
      await renameDurably(path, target(digest));
    },
    async show(digest) {
      await end();
      // A blob that is there already may be durable: it must not make room for one that is not.
      await link(path, target(digest)).catch(unlessThere);
      await rm(path);
      return target(digest);
    },
    async abort() {
      await end();
      await rm(path, { force: true });
    },
  };
}

function unlessThere(error: unknown): void {
  if (hasCode(error, 'EEXIST')) return;
  throw error;
}
