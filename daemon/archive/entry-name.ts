/** Names inside a tar from outside. Pure. */

const maxNameBytes = 4096;

/**
 * The name without `./` and double slashes; undefined for one that is empty, absolute, leaves the
 * archive or is longer than any path may be.
 */
export function safeEntryName(name: string): string | undefined {
  if (name.startsWith('/') || name.includes('\0') || Buffer.byteLength(name) > maxNameBytes) {
    return undefined;
  }
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  return parts.length === 0 || parts.includes('..') ? undefined : parts.join('/');
}

/** Where a link inside an archive points, from the folder that it lies in. */
export function linkTarget(entry: string, target: string): string | undefined {
  if (target.startsWith('/')) return undefined;
  const parts = entry.split('/').slice(0, -1);
  for (const part of target.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return safeEntryName(parts.join('/'));
}
