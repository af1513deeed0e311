/** `$.linux`: namespaces, devices, paths, sysctls and the seccomp filter. */
import type { OciDevice, OciLinux } from '../../daemon/runtime/oci.js';
import { parseScope } from '../../daemon/runtime/cgroup/scope-name.js';
import { propagationNames } from '../../daemon/runtime/compile/mount-options.js';
import { defaultDevices } from '../../daemon/runtime/spec/devices.js';
import { given, type JsonValue } from './json-value.js';
import type { ParseContext } from './parse-config.js';
import {
  parseIdMaps, parseNamespaces, parseNetDevices, parseTimeOffsets,
} from './parse-namespaces.js';
import { parseMemoryPolicy } from './parse-process.js';
import { parseResources } from './parse-resources.js';
import { parseSeccomp } from './parse-seccomp.js';

const MAX_ID = 2 ** 32 - 2;
const MAX_DEVICE = 2 ** 32 - 1;

/** What is not done, and what it would take. */
const lacking = {
  mountLabel: 'SELinux', intelRdt: 'a processor with Resource Director Technology',
} as const;

/** Throws `OciError`. */
export function parseLinux(json: JsonValue, context: ParseContext): OciLinux {
  for (const [name, what] of Object.entries(lacking)) refuse(json.at(name), what);
  const text = (value: JsonValue): string => value.text();
  const namespaces = parseNamespaces(json.at('namespaces'));
  return given({
    namespaces,
    rootfsPropagation: parsePropagation(json.at('rootfsPropagation')),
    ...parseIdMaps(json, namespaces, context),
    netDevices: json.at('netDevices').optional((each) => parseNetDevices(each, namespaces)),
    memoryPolicy: json.at('memoryPolicy').optional(parseMemoryPolicy),
    timeOffsets: parseTimeOffsets(json.at('timeOffsets'), namespaces),
    devices: parseDevices(json.at('devices')),
    cgroupsPath: parseCgroupsPath(json.at('cgroupsPath'), context),
    resources: parseResources(json.at('resources')),
    sysctl: json.at('sysctl').map(text),
    maskedPaths: json.at('maskedPaths').list(text),
    readonlyPaths: json.at('readonlyPaths').list(text),
    personality: json.at('personality').optional((each) => {
      const flags = each.at('flags');
      if (flags.list(() => true).length > 0) throw flags.wrong('none is known');
      return { domain: each.at('domain').required().word(['LINUX', 'LINUX32']) };
    }),
    seccomp: json.at('seccomp').optional((each) => parseSeccomp(each, context.architecture)),
  });
}

function parsePropagation(json: JsonValue): string | undefined {
  if (json.isAbsent || json.value === '') return undefined;
  return json.word(propagationNames);
}

/** What would have to be done and cannot be; empty is fine. */
function refuse(value: JsonValue, what: string): void {
  if (!value.isEmpty) throw value.wrong(`needs ${what}: not supported`);
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
      mustMatch: true,
    };
  });
  const paths = new Set(own.map(({ path }) => path));
  return [...defaultDevices.filter(({ path }) => !paths.has(path)), ...own];
}

/** With systemd it is that of the scope's group. */
function parseCgroupsPath(
  json: JsonValue,
  { cgroupsPath, systemdCgroup = false }: ParseContext,
): string {
  const given = json.optional((each) => each.text()) ?? '';
  const path = given === '' ? cgroupsPath : given;
  if (systemdCgroup) {
    const scope = parseScope(path);
    if (scope === undefined) throw json.wrong('must be like system.slice:prefix:name');
    return scope.path;
  }
  if (/^[^/]*:[^/]*:/.test(path)) throw json.wrong('names a scope: that takes --systemd-cgroup');
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || parts.length === 0) throw json.wrong('must name a group');
  return `/${parts.join('/')}`;
}
