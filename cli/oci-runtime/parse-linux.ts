/** `$.linux`: namespaces, devices, paths, sysctls and the seccomp filter. */
import type {
  NamespaceType, OciDevice, OciLinux, OciNamespace, OciSeccomp, OciSyscall, SeccompAction,
  SeccompOperator,
} from '../../daemon/runtime/oci.js';
import { defaultDevices } from '../../daemon/runtime/spec/devices.js';
import { given, type JsonValue } from './json-value.js';
import type { ParseContext } from './parse-config.js';
import { parseResources } from './parse-resources.js';

const MAX_ID = 2 ** 32 - 2;
const MAX_DEVICE = 2 ** 32 - 1;

/** The namespaces that can be made or joined. */
export const namespaceTypes: readonly NamespaceType[] = [
  'pid', 'network', 'mount', 'ipc', 'uts', 'cgroup',
];

/** The actions of a profile that the compiler knows; others are refused. */
export const seccompActions: readonly SeccompAction[] = [
  'SCMP_ACT_KILL', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_KILL_THREAD', 'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO', 'SCMP_ACT_TRACE', 'SCMP_ACT_ALLOW', 'SCMP_ACT_LOG',
];

/** Comparisons of arguments, as libseccomp names them. */
export const seccompOperators: readonly SeccompOperator[] = [
  'SCMP_CMP_NE', 'SCMP_CMP_LT', 'SCMP_CMP_LE', 'SCMP_CMP_EQ', 'SCMP_CMP_GE', 'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
];

const notYet = [
  'mountLabel',
  'intelRdt',
  'personality',
  'timeOffsets',
  'netDevices',
  'memoryPolicy',
];

const propagations = ['', 'private', 'rprivate', 'slave', 'rslave'] as const;

/** Throws `OciError`. */
export function parseLinux(json: JsonValue, context: ParseContext): OciLinux {
  for (const name of [...notYet, 'uidMappings', 'gidMappings']) refuse(json.at(name));
  json.at('rootfsPropagation').optional((each) => each.word(propagations));
  const text = (value: JsonValue): string => value.text();
  return given({
    namespaces: parseNamespaces(json.at('namespaces')),
    devices: parseDevices(json.at('devices')),
    cgroupsPath: parseCgroupsPath(json.at('cgroupsPath')) ?? context.cgroupsPath,
    resources: parseResources(json.at('resources')),
    sysctl: json.at('sysctl').map(text),
    maskedPaths: json.at('maskedPaths').list(text),
    readonlyPaths: json.at('readonlyPaths').list(text),
    seccomp: json.at('seccomp').optional((each) => parseSeccomp(each, context.architecture)),
  });
}

/** What would have to be done and cannot be; empty is fine. */
function refuse(value: JsonValue): void {
  const { value: raw } = value;
  const isEmpty =
    value.isAbsent || raw === '' ||
    (typeof raw === 'object' && raw !== null && Object.keys(raw).length === 0);
  if (!isEmpty) throw value.wrong('not supported yet');
}

function parseNamespaces(json: JsonValue): readonly OciNamespace[] {
  const seen = new Set<string>();
  const namespaces = json.list((each) => {
    const type = each.at('type').required();
    if (['user', 'time'].includes(type.text()))
      throw type.wrong(`not supported yet: ${type.text()}`);
    const word = type.word(namespaceTypes);
    if (seen.has(word)) throw type.wrong(`${word} is there twice`);
    seen.add(word);
    const path = each.at('path');
    const joined = path.optional((value) => value.text()) ?? '';
    if (joined !== '' && !joined.startsWith('/')) throw path.wrong('must be absolute');
    if (joined !== '' && word === 'mount') throw path.wrong('not supported yet');
    return given({ type: word, path: joined === '' ? undefined : joined });
  });
  if (!seen.has('mount')) throw json.wrong('not supported yet: no mount namespace');
  return namespaces;
}

/** Those that every container has, and the configuration's own. */
function parseDevices(json: JsonValue): readonly OciDevice[] {
  const id = (value: JsonValue): number => value.integer(0, MAX_ID);
  const own = json.list((each): OciDevice => {
    const path = each.at('path').required();
    if (!/^\/.*[^/]$/.test(path.text())) throw path.wrong('must be absolute');
    const letter = each.at('type').required().word(['b', 'c', 'u', 'p']);
    const number = (name: string): number =>
      letter === 'p' ? 0 : each.at(name).required().integer(0, MAX_DEVICE);
    return {
      path: path.text(), type: letter === 'u' ? 'c' : letter, major: number('major'),
      minor: number('minor'),
      fileMode: each.at('fileMode').optional((mode) => mode.integer(0, 0o177777) & 0o7777) ?? 0o666,
      uid: each.at('uid').optional(id) ?? 0, gid: each.at('gid').optional(id) ?? 0,
    };
  });
  const paths = new Set(own.map(({ path }) => path));
  return [...defaultDevices.filter(({ path }) => !paths.has(path)), ...own];
}

function parseCgroupsPath(json: JsonValue): string | undefined {
  const path = json.optional((each) => each.text()) ?? '';
  if (path === '') return undefined;
  if (/^[^/]*:[^/]*:/.test(path)) throw json.wrong('not supported yet: the systemd cgroup driver');
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || parts.length === 0) throw json.wrong('must name a group');
  return `/${parts.join('/')}`;
}

function parseSeccomp(json: JsonValue, architecture: 'amd64' | 'arm64'): OciSeccomp | undefined {
  refuse(json.at('listenerPath'));
  const architectures = json.at('architectures').list((each) => each.text());
  const native = architecture === 'amd64' ? 'SCMP_ARCH_X86_64' : 'SCMP_ARCH_AARCH64';
  return given({
    defaultAction: json.at('defaultAction').required().word(seccompActions),
    defaultErrnoRet: json.at('defaultErrnoRet').optional(errno),
    architectures: [...new Set([native, ...architectures])],
    flags: json.at('flags').list((each) => each.text()),
    syscalls: json.at('syscalls').list(parseSyscall),
  });
}

const errno = (value: JsonValue): number => value.integer(0, 4095);

function parseSyscall(json: JsonValue): OciSyscall {
  const number = (value: JsonValue): number => value.integer(0, 2 ** 64);
  return given({
    names: json.at('names').required().list((each) => each.text()),
    action: json.at('action').required().word(seccompActions),
    errnoRet: json.at('errnoRet').optional(errno),
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
