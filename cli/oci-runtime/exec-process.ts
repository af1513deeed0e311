/** The process of an exec: the container's own, changed where the command line says otherwise. */
import * as fs from 'node:fs';
import { containerCapabilities } from '../../daemon/runtime/spec/capabilities.js';
import type { OciCapabilities, OciProcess } from '../../daemon/runtime/oci.js';
import type { Given } from './arguments.js';
import { given, JsonValue } from './json-value.js';
import { OciError } from './oci-error.js';
import { parseProcess } from './parse-process.js';

/** Throws `OciError`. `held` are the capabilities that can be given. */
export function execProcess(
  flags: Given,
  own: OciProcess,
  held: ReadonlySet<string>,
): OciProcess {
  const file = flags.text('process');
  const args = flags.words.slice(1);
  if (file !== undefined) return readProcess(file, held);
  if (args.length === 0) throw new OciError('exec needs a command, or --process FILE');
  return given({
    ...own,
    consoleSize: undefined,
    terminal: flags.truth('tty'),
    args,
    env: [...own.env, ...flags.list('env')],
    cwd: absolute(flags.text('cwd')) ?? own.cwd,
    user: userOf(flags, own.user),
    capabilities: withMore(own.capabilities, flags.list('cap'), held),
    noNewPrivileges: own.noNewPrivileges || flags.truth('no-new-privs'),
    apparmorProfile: flags.text('apparmor') ?? own.apparmorProfile,
  });
}

function readProcess(file: string, held: ReadonlySet<string>): OciProcess {
  const text = fs.readFileSync(file, 'utf8');
  try {
    return parseProcess(new JsonValue(JSON.parse(text), '$', file), held);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new OciError(`${file}: ${error.message}`, error);
  }
}

function absolute(cwd: string | undefined): string | undefined {
  if (cwd !== undefined && !cwd.startsWith('/')) throw new OciError('--cwd must be absolute');
  return cwd;
}

/** `uid[:gid]`: names are not looked up, a bundle need not have any. */
function userOf(flags: Given, own: OciProcess['user']): OciProcess['user'] {
  const text = flags.text('user');
  const more = flags.list('additional-gids').map((each) => idOf(each, '--additional-gids'));
  const additionalGids = [...own.additionalGids, ...more];
  if (text === undefined) return { ...own, additionalGids };
  const [uid = '', gid] = text.split(':');
  return {
    ...own,
    uid: idOf(uid, '--user'),
    gid: gid === undefined ? own.gid : idOf(gid, '--user'),
    additionalGids,
  };
}

function idOf(text: string, flag: string): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) > 2 ** 32 - 2) {
    throw new OciError(`${flag}: ${text} is no id`);
  }
  return Number(text);
}

function withMore(
  own: OciCapabilities,
  names: readonly string[],
  held: ReadonlySet<string>,
): OciCapabilities {
  if (names.length === 0) return own;
  const more = containerCapabilities({ privileged: false, add: names, drop: ['ALL'] }, held);
  const both = (set: readonly string[]): readonly string[] => [...new Set([...set, ...more])];
  return {
    ...own, bounding: both(own.bounding), effective: both(own.effective),
    permitted: both(own.permitted),
  };
}
