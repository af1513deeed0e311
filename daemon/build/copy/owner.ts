/** `--chown`: names looked up in the image that is copied into. */
import { ApiError, invalidParameter } from '../../../api-spec/errors.js';
import { readSmall, type SourceTree } from '../source-tree.js';

/** Who files belong to. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** `user:group` by the contents of an image's account files; `ApiError` 400. */
export type ResolveOwner = (
  user: string,
  files: { readonly passwd: string; readonly group: string },
) => Owner;

const maxAccountBytes = 1024 * 1024;

/** A user alone brings the group of the same name or number. */
export async function ownerOf(
  chown: string,
  rootfs: SourceTree,
  resolve: ResolveOwner,
): Promise<Owner> {
  const [user = '', group = user, ...more] = chown.split(':');
  if (user === '' || more.length > 0) {
    throw unconvertible(`invalid chown string format: ${chown}`);
  }
  const files = { passwd: await account(rootfs, 'passwd'), group: await account(rootfs, 'group') };
  const { uid } = look('user', user, () => resolve(`${user}:0`, files));
  const { gid } = look('group', group, () => resolve(`0:${group}`, files));
  return { uid, gid };
}

async function account(rootfs: SourceTree, name: string): Promise<string> {
  const bytes = await readSmall(rootfs, `etc/${name}`, maxAccountBytes);
  return bytes?.toString('utf8') ?? '';
}

function look(what: 'user' | 'group', name: string, resolve: () => Owner): Owner {
  try {
    return resolve();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const id = what === 'user' ? 'uid' : 'gid';
    throw unconvertible(`can't find ${id} for ${what} ${name}: no such ${what}: ${name}`);
  }
}

function unconvertible(why: string): Error {
  return invalidParameter(`unable to convert uid/gid chown string to host mapping: ${why}`);
}
