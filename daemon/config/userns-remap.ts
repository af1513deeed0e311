/** `--userns-remap`: whose ids, of /etc/subuid and /etc/subgid, stand for those of containers. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IdMapping } from '../../native/id-maps.js';
import type { DaemonConfig } from './config.js';
import { ConfigError } from './config-error.js';

/** The user that Docker makes for `default`. */
const DEFAULT_USER = 'dockremap';

/**
 * The configuration with the maps, and with a data root of their own (`UID.GID`, as Docker's):
 * whoever changes the maps finds nothing of other owners there. Throws `ConfigError` in Docker's
 * words. `etc` is for tests.
 */
export function remapped(config: DaemonConfig, etc = '/etc'): DaemonConfig {
  const { usernsRemap, dataRoot } = config;
  if (usernsRemap === undefined) return config;
  const [user = '', group = user] =
    usernsRemap === 'default' ? [DEFAULT_USER] : usernsRemap.split(':');
  const uidMappings = subordinateRanges('uid', accountOf(etc, 'passwd', user), etc);
  const gidMappings = subordinateRanges('gid', accountOf(etc, 'group', group), etc);
  const folder = [uidMappings, gidMappings].map(([first]) => first?.hostID ?? 0).join('.');
  return { ...config, dataRoot: join(dataRoot, folder), remap: { uidMappings, gidMappings } };
}

/** Who has subordinate ids. */
export interface Account {
  readonly name: string;
  readonly id: string;
}

/** By name or number; a number need not be anybody's. */
function accountOf(etc: string, file: 'passwd' | 'group', word: string): Account {
  for (const [name = '', , id = ''] of records(join(etc, file))) {
    if (name !== '' && (name === word || id === word)) return { name, id };
  }
  if (/^\d+$/.test(word)) return { name: word, id: word };
  const kind = file === 'passwd' ? 'user' : 'group';
  throw new ConfigError(`userns-remap: no such ${kind}: "${word}"`);
}

/** All of its ranges, one after the other from id 0 on. Throws `ConfigError` when there is none. */
export function subordinateRanges(
  kind: 'uid' | 'gid',
  { name, id }: Account,
  etc: string,
): readonly IdMapping[] {
  const path = join(etc, `sub${kind}`);
  const ranges: IdMapping[] = [];
  let containerID = 0;
  for (const [owner, start = '', count = ''] of records(path)) {
    if (owner !== name && owner !== id) continue;
    const range = { containerID, hostID: Number(start), size: Number(count) };
    if (!/^\d+$/.test(start) || !/^[1-9]\d*$/.test(count)) {
      throw new ConfigError(`cannot parse sub${kind} ranges of "${name}" in ${path}`);
    }
    ranges.push(range);
    containerID += range.size;
  }
  if (ranges.length > 0) return ranges;
  throw new ConfigError(`no sub${kind} ranges found for ${kind === 'uid' ? 'user' : 'group'} ` +
    `"${name}" in ${path}: add one, such as ${name}:100000:65536`);
}

function records(path: string): readonly (readonly string[])[] {
  try {
    return readFileSync(path, 'utf8').split('\n').map((line) => line.trim().split(':'));
  } catch (error) {
    throw new ConfigError(error instanceof Error ? error.message : String(error));
  }
}
