/** Certificates by registry: `<dir>/<host[:port]>/{*.crt, *.cert + *.key}`, as Docker has them. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { hasCode } from '../../native/errno-error.js';

/** What TLS needs to know for one host; nothing of it where no folder says so. */
export interface HostCertificates {
  readonly ca?: readonly string[];
  readonly cert?: string | readonly string[];
  readonly key?: string | readonly string[];
}

const maxCertificates = 100;

/**
 * Reads the folders of `host` in `directories`. Own authorities come in addition to the system's.
 * A certificate without its key, or the other way round, is an error that says so.
 */
export async function certificatesFor(
  host: string,
  directories: readonly string[],
): Promise<HostCertificates> {
  const authorities: string[] = [];
  let pair: { cert: string; key: string } | undefined;
  for (const directory of directories) {
    const folder = join(directory, host);
    const names = (await listIfThere(folder)).slice(0, maxCertificates);
    for (const name of names) {
      if (name.endsWith('.crt')) authorities.push(await readFile(join(folder, name), 'utf8'));
      if (name.endsWith('.cert')) pair = await readPair(folder, name, names);
    }
    const orphan = names.find(
      (name) => name.endsWith('.key') && !names.includes(name.replace(/\.key$/, '.cert')),
    );
    if (orphan !== undefined) {
      throw new Error(
        `missing client certificate ${orphan.replace(/\.key$/, '.cert')} for key ${orphan}`,
      );
    }
  }
  const ca = authorities.length === 0 ? {} : { ca: [...rootCertificates, ...authorities] };
  return { ...ca, ...pair };
}

async function readPair(
  folder: string,
  name: string,
  names: readonly string[],
): Promise<{ cert: string; key: string }> {
  const keyName = name.replace(/\.cert$/, '.key');
  if (!names.includes(keyName)) {
    throw new Error(
      `missing key ${keyName} for client certificate ${name}. ` +
        'CA certificates must use the extension .crt',
    );
  }
  const [cert, key] = await Promise.all([
    readFile(join(folder, name), 'utf8'),
    readFile(join(folder, keyName), 'utf8'),
  ]);
  return { cert, key };
}

/** Host names come from references that were parsed, so they hold no `/` and are not `..`. */
async function listIfThere(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}
