/**
 * What a seccomp profile says, in the format that Docker's `--security-opt seccomp=` takes, and
 * which of its rules hold for one container: some ask for a capability, an architecture or a
 * kernel.
 */
import { invalidParameter } from '../../../api-spec/errors.js';
import type { OciSeccomp, OciSeccompArg, OciSyscall, SeccompAction } from '../oci.js';

/** A profile, before it is known for whom. */
export interface SeccompProfile {
  readonly defaultAction: SeccompAction;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly archMap?: readonly ArchMapping[];
  readonly flags?: readonly string[];
  readonly syscalls: readonly ProfileRule[];
}

interface ArchMapping {
  readonly architecture: string;
  readonly subArchitectures?: readonly string[] | null;
}

/** One rule, and when it holds. */
export interface ProfileRule {
  /** Older profiles name one call. */
  readonly name?: string;
  readonly names?: readonly string[];
  readonly action: SeccompAction;
  readonly errnoRet?: number;
  readonly args?: readonly OciSeccompArg[] | null;
  /** All of it must hold. */
  readonly includes?: RuleFilter;
  /** Any of it takes the rule away. */
  readonly excludes?: RuleFilter;
}

/** Conditions on container, machine and kernel. */
export interface RuleFilter {
  readonly caps?: readonly string[];
  /** In Go's words: `amd64`, `arm64`. */
  readonly arches?: readonly string[];
  /** `major.minor`. */
  readonly minKernel?: string;
}

/** For whom a profile is resolved. */
export interface SeccompTarget {
  /** The bounding set, by names with `CAP_`. */
  readonly capabilities: ReadonlySet<string>;
  /** In Go's words. */
  readonly architecture: string;
  readonly kernel: KernelVersion;
}

/** The first two numbers of `uname -r`. */
export interface KernelVersion {
  readonly major: number;
  readonly minor: number;
}

/** The rules that hold for `target`, as an OCI configuration states them. */
export function resolveProfile(profile: SeccompProfile, target: SeccompTarget): OciSeccomp {
  const syscalls: OciSyscall[] = [];
  for (const rule of profile.syscalls) {
    if (!holds(rule, target)) continue;
    const names = rule.names ?? (rule.name === undefined ? [] : [rule.name]);
    syscalls.push({
      names,
      action: rule.action,
      ...(rule.errnoRet === undefined ? {} : { errnoRet: rule.errnoRet }),
      ...((rule.args ?? []).length === 0 ? {} : { args: rule.args ?? [] }),
    });
  }
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    ...(profile.flags === undefined ? {} : { flags: profile.flags }),
    architectures: architectures(profile, target.architecture),
    syscalls,
  };
}

function holds({ includes, excludes }: ProfileRule, target: SeccompTarget): boolean {
  if (excludes !== undefined && isExcluded(excludes, target)) return false;
  if (includes === undefined) return true;
  const { caps = [], minKernel } = includes;
  const arches = nonEmpty(includes.arches);
  if (!caps.every((cap) => target.capabilities.has(cap))) return false;
  if (arches !== undefined && !arches.includes(target.architecture)) return false;
  return minKernel === undefined || atLeast(target.kernel, minKernel);
}

function isExcluded(filter: RuleFilter, target: SeccompTarget): boolean {
  const { caps = [], arches = [], minKernel } = filter;
  return (
    caps.some((cap) => target.capabilities.has(cap)) ||
    arches.includes(target.architecture) ||
    (minKernel !== undefined && atLeast(target.kernel, minKernel))
  );
}

function nonEmpty<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list === undefined || list.length === 0 ? undefined : list;
}

function atLeast(kernel: KernelVersion, wanted: string): boolean {
  const [major = 0, minor = 0] = wanted.split('.').map(Number);
  return kernel.major > major || (kernel.major === major && kernel.minor >= minor);
}

const ociArch: Readonly<Record<string, string>> = {
  amd64: 'SCMP_ARCH_X86_64',
  arm64: 'SCMP_ARCH_AARCH64',
};

function architectures(profile: SeccompProfile, architecture: string): readonly string[] {
  const native = ociArch[architecture];
  const mapped = profile.archMap?.find((entry) => entry.architecture === native);
  if (mapped !== undefined) return [mapped.architecture, ...(mapped.subArchitectures ?? [])];
  return profile.architectures ?? (native === undefined ? [] : [native]);
}

/** What is larger is no profile: Docker's own has 13 KB. */
const MAX_PROFILE_BYTES = 1024 * 1024;

/** Reads what a user gave as text. Throws `ApiError` 400 in Docker's words. */
export function parseProfile(text: string): SeccompProfile {
  if (Buffer.byteLength(text) > MAX_PROFILE_BYTES) {
    throw invalidParameter('seccomp profile is larger than 1 MiB');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalidParameter(
      `Decoding seccomp profile failed: ${(error as SyntaxError).message}`, error,
    );
  }
  checkProfile(value);
  return value;
}

const actions: readonly string[] = [
  'SCMP_ACT_KILL', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_KILL_THREAD', 'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO', 'SCMP_ACT_TRACE', 'SCMP_ACT_ALLOW', 'SCMP_ACT_LOG',
];

const operators: readonly string[] = [
  'SCMP_CMP_NE', 'SCMP_CMP_LT', 'SCMP_CMP_LE', 'SCMP_CMP_EQ', 'SCMP_CMP_GE', 'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
];

const refuse = (what: string): never => {
  throw invalidParameter(`Decoding seccomp profile failed: ${what}`);
};

function checkProfile(value: unknown): asserts value is SeccompProfile {
  const profile = asObject(value, 'the profile is not an object');
  checkAction(profile['defaultAction']);
  const mapped = Array.isArray(profile['archMap']) && profile['archMap'].length > 0;
  if (mapped && Array.isArray(profile['architectures']) && profile['architectures'].length > 0) {
    refuse("both 'architectures' and 'archMap' are specified in the seccomp profile, use either " +
      "'architectures' or 'archMap'");
  }
  profile['syscalls'] ??= [];
  for (const rule of asArray(profile['syscalls'], 'syscalls is not a list')) checkRule(rule);
}

function checkRule(value: unknown): void {
  const rule = asObject(value, 'a rule is not an object');
  checkAction(rule['action']);
  const named = typeof rule['name'] === 'string' && rule['name'] !== '';
  const list = asArray(rule['names'] ?? [], 'names is not a list');
  if (named && list.length > 0) refuse("both 'name' and 'names' are specified in a rule");
  if (list.some((name) => typeof name !== 'string')) refuse('a name is not a string');
  if (!named) delete rule['name'];
  for (const arg of asArray(rule['args'] ?? [], 'args is not a list')) checkArg(arg);
}

function checkArg(value: unknown): void {
  const { index, op, value: operand } = asObject(value, 'an argument is not an object');
  const isIndex = Number.isInteger(index) && Number(index) >= 0 && Number(index) <= 5;
  if (!isIndex || typeof operand !== 'number') refuse('an argument has no index 0…5 and value');
  if (typeof op !== 'string' || !operators.includes(op)) refuse(`unknown operator ${String(op)}`);
}

function checkAction(action: unknown): void {
  if (typeof action !== 'string' || !actions.includes(action)) {
    refuse(`unknown action ${String(action)}`);
  }
}

function asObject(value: unknown, otherwise: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse(otherwise);
  return value as Record<string, unknown>; // an object of JSON has no other keys
}

function asArray(value: unknown, otherwise: string): readonly unknown[] {
  return Array.isArray(value) ? value : refuse(otherwise);
}
