/** `--security-opt`, as the API takes it: `key=value`, the old `key:value`, or one word. */
import { invalidParameter } from '../../../api-spec/errors.js';
import { parseProfile, type SeccompProfile } from '../seccomp/profile.js';

/** What the options come to; the last of several on one matter holds. */
export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  /** `default`: nothing was said, and the daemon's holds. */
  readonly seccomp: 'default' | 'builtin' | 'unconfined' | SeccompProfile;
  /** Profile's name; absent for the default. */
  readonly apparmor?: string;
  readonly systemPathsUnconfined: boolean;
  readonly writableCgroups: boolean;
}

/** Privileges are as the daemon has them unless said. Throws `ApiError` 400 in Docker's words. */
export function parseSecurityOptions(
  options: readonly string[],
  noNewPrivileges: boolean,
): SecurityOptions {
  let parsed: SecurityOptions = {
    noNewPrivileges,
    seccomp: 'default',
    systemPathsUnconfined: false,
    writableCgroups: false,
  };
  for (const option of options) parsed = { ...parsed, ...parseOne(option) };
  return parsed;
}

function parseOne(option: string): Partial<SecurityOptions> {
  if (option === 'disable') return {};
  if (option === 'no-new-privileges') return { noNewPrivileges: true };
  const match = /^([^=]*?)=(.*)$/s.exec(option) ?? /^([^:]*?):(.*)$/s.exec(option);
  if (match === null) throw invalidParameter(`invalid --security-opt 1: "${option}"`);
  const [, key = '', value = ''] = match;
  return valueOf(key, value, option);
}

function valueOf(key: string, value: string, option: string): Partial<SecurityOptions> {
  switch (key) {
    case 'label':
      return {};
    case 'apparmor':
      return { apparmor: value };
    case 'seccomp':
      return { seccomp: seccompOf(value) };
    case 'no-new-privileges':
      return { noNewPrivileges: boolean(value, option) };
    case 'writable-cgroups':
      return { writableCgroups: boolean(value, option) };
    case 'systempaths':
      if (value === 'unconfined') return { systemPathsUnconfined: true };
      throw invalidParameter(`invalid --security-opt 2: "${option}"`);
    default:
      throw invalidParameter(`invalid --security-opt 2: "${option}"`);
  }
}

function seccompOf(value: string): SecurityOptions['seccomp'] {
  if (value === 'unconfined') return 'unconfined';
  if (value === '') return 'default';
  return value === 'builtin' ? 'builtin' : parseProfile(value);
}

/** As Go's strconv.ParseBool. */
function boolean(value: string, option: string): boolean {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(value)) return false;
  throw invalidParameter(`invalid --security-opt 2: "${option}"`);
}
