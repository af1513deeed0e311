/** `$.linux.seccomp`: the filter of calls, and who is told of those that it leaves to others. */
import type {
  OciSeccomp, OciSyscall, SeccompAction, SeccompOperator,
} from '../../daemon/runtime/oci.js';
import { seccompFlagNames } from '../../daemon/runtime/seccomp/flags.js';
import { given, type JsonValue } from './json-value.js';

/** What may become of a call. */
export const seccompActions: readonly SeccompAction[] = [
  'SCMP_ACT_KILL', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_KILL_THREAD', 'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO', 'SCMP_ACT_TRACE', 'SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_NOTIFY',
];

/** Comparisons of arguments, as libseccomp names them. */
export const seccompOperators: readonly SeccompOperator[] = [
  'SCMP_CMP_NE', 'SCMP_CMP_LT', 'SCMP_CMP_LE', 'SCMP_CMP_EQ', 'SCMP_CMP_GE', 'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
];

/** The specification's; calls are filtered of those alone that the machine has. */
const architectureNames = [
  'X86', 'X86_64', 'X32', 'ARM', 'AARCH64', 'MIPS', 'MIPS64', 'MIPS64N32', 'MIPSEL', 'MIPSEL64',
  'MIPSEL64N32', 'PPC', 'PPC64', 'PPC64LE', 'S390', 'S390X', 'PARISC', 'PARISC64', 'RISCV64',
  'LOONGARCH64', 'M68K', 'SH', 'SHEB',
].map((name) => `SCMP_ARCH_${name}`);

/** Those with a number of their own. */
const withErrno: ReadonlySet<SeccompAction> = new Set(['SCMP_ACT_ERRNO', 'SCMP_ACT_TRACE']);

/** By these the listener is handed over, and the start waited for: nobody could answer them. */
const ownCalls: ReadonlySet<string> = new Set(['read', 'write', 'sendmsg']);

const MAX_ERRNO = 4095;

/** Throws `OciError`. */
export function parseSeccomp(json: JsonValue, architecture: 'amd64' | 'arm64'): OciSeccomp {
  const architectures = json.at('architectures').list((each) => each.word(architectureNames));
  const native = architecture === 'amd64' ? 'SCMP_ARCH_X86_64' : 'SCMP_ARCH_AARCH64';
  const action = json.at('defaultAction').required();
  const defaultAction = action.word(seccompActions);
  if (defaultAction === 'SCMP_ACT_NOTIFY') throw action.wrong('must be of some calls, not of all');
  const syscalls = json.at('syscalls').list(parseSyscall);
  return given({
    defaultAction,
    defaultErrnoRet: parseErrno(json.at('defaultErrnoRet'), defaultAction),
    architectures: [...new Set([native, ...architectures])],
    flags: json.at('flags').list((each) => each.word(seccompFlagNames)),
    syscalls,
    ...parseListener(json, syscalls.some((rule) => rule.action === 'SCMP_ACT_NOTIFY')),
  });
}

function parseListener(
  json: JsonValue,
  isNeeded: boolean,
): Pick<OciSeccomp, 'listenerPath' | 'listenerMetadata'> {
  const text = (name: string): string | undefined => {
    const value = json.at(name).optional((each) => each.text());
    return value === '' ? undefined : value;
  };
  const [path, metadata] = [json.at('listenerPath'), json.at('listenerMetadata')];
  const listenerPath = text('listenerPath');
  const listenerMetadata = text('listenerMetadata');
  if (listenerPath?.startsWith('/') === false) throw path.wrong('must be absolute');
  if (isNeeded && listenerPath === undefined) throw path.wrong('is missing: a call is to be told');
  if (listenerMetadata !== undefined && listenerPath === undefined) {
    throw metadata.wrong('needs a listenerPath');
  }
  return given({ listenerPath, listenerMetadata });
}

function parseErrno(json: JsonValue, action: SeccompAction): number | undefined {
  const number = json.optional((value) => value.integer(0, MAX_ERRNO));
  if (number !== undefined && !withErrno.has(action)) throw json.wrong(`is not of ${action}`);
  return number;
}

function parseSyscall(json: JsonValue): OciSyscall {
  const number = (value: JsonValue): number => value.integer(0, 2 ** 64);
  const names = json.at('names').required();
  const action = json.at('action').required().word(seccompActions);
  const all = names.list((each) => {
    if (action === 'SCMP_ACT_NOTIFY' && ownCalls.has(each.text())) {
      throw each.wrong('is a call of the start itself, and cannot be told');
    }
    return each.text();
  });
  if (all.length === 0) throw names.wrong('must not be empty');
  return given({
    names: all,
    action,
    errnoRet: parseErrno(json.at('errnoRet'), action),
    args: json.at('args').list((arg) =>
      given({
        index: arg.at('index').required().integer(0, 5),
        value: arg.at('value').required().integer(0, 2 ** 64),
        valueTwo: arg.at('valueTwo').optional(number),
        op: arg.at('op').required().word(seccompOperators),
      }),
    ),
  });
}
