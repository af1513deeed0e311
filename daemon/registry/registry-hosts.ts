/**
 * The servers that a repository is asked of, by `hosts.toml`. Where there is none, these are the
 * mirrors of Docker Hub and the registry itself.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { rootCertificates } from 'node:tls';
import { systemError } from '../../api-spec/errors.js';
import { hasCode } from '../../native/errno-error.js';
import { parseHostsFile, type Capability, type RegistryHost } from './hosts-file.js';
import type { TlsProfile } from './transport.js';

/** One server, ready to be spoken to. */
export interface ConfiguredHost {
  readonly base: URL;
  readonly capabilities: readonly Capability[];
  /** TLS of its own; undefined where the folder of its name says all. */
  readonly tls: TlsProfile | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the user's credentials are for it. */
  readonly isTrusted: boolean;
  /** Of another party's: told for which registry it is asked, as containerd does. */
  readonly namespace: string | undefined;
}

const fileName = 'hosts.toml';
const maxFileBytes = 1024 * 1024;

/**
 * The servers of `domain` by the first `hosts.toml` in `directories`; undefined if there is none.
 * `host` is where the registry itself is. `ApiError` when the file cannot be read.
 */
export async function configuredHosts(
  domain: string,
  host: string,
  directories: readonly string[],
): Promise<readonly ConfiguredHost[] | undefined> {
  for (const folder of foldersOf(domain, directories)) {
    const path = join(folder, fileName);
    const text = await readIfThere(path);
    if (text === undefined) continue;
    try {
      const hosts = parseHostsFile(text, new URL(`https://${host}`));
      return await Promise.all(hosts.map((one) => configured(one, { domain, host, folder })));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw systemError(`invalid ${path}: ${reason}`, error);
    }
  }
  return undefined;
}

/** Colons are trouble in names on some systems, so containerd knows another spelling too. */
function foldersOf(domain: string, directories: readonly string[]): readonly string[] {
  const [name = '', port] = domain.split(/:(?=\d+$)/);
  const names = [domain, ...(port === undefined ? [] : [`${name}_${port}_`]), '_default'];
  return names.flatMap((each) => directories.map((directory) => join(directory, each)));
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > maxFileBytes) throw new Error(`${path} is too large`);
    return bytes.toString('utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

async function configured(
  host: RegistryHost,
  place: { readonly domain: string; readonly host: string; readonly folder: string },
): Promise<ConfiguredHost> {
  const isItself = host.base.host === place.host || host.base.host === place.domain;
  return {
    base: host.base,
    capabilities: host.capabilities,
    tls: await profileOf(host, place.folder),
    headers: host.headers,
    isTrusted: host.isServer || isItself,
    namespace: isItself ? undefined : place.domain,
  };
}

async function profileOf(host: RegistryHost, folder: string): Promise<TlsProfile | undefined> {
  const { ca, client, skipVerify } = host;
  if (ca.length === 0 && client.length === 0 && !skipVerify) return undefined;
  const read = (path: string): Promise<string> => readFile(resolve(folder, path), 'utf8');
  const [authorities, certificates, keys] = await Promise.all([
    Promise.all(ca.map(read)),
    Promise.all(client.map(({ cert }) => read(cert))),
    Promise.all(client.map(({ key }) => read(key))),
  ]);
  const certificatesOfClient = client.length === 0 ? {} : { cert: certificates, key: keys };
  const material = {
    ...(ca.length === 0 ? {} : { ca: [...rootCertificates, ...authorities] }),
    ...certificatesOfClient,
  };
  const name = createHash('sha256')
    .update(JSON.stringify([authorities, certificates, keys, skipVerify]))
    .digest('hex');
  return { name, material, skipVerify };
}
