/** The query of `POST /build` → what to build; `ApiError` 400 in Docker's words. Pure. */
import { invalidParameter } from '../../../api-spec/errors.js';
import type { AuthConfig, HostConfig, Ulimit } from '../../../api-spec/index.js';
import { checkPlatform } from '../platform.js';
import type { GivenArgs } from '../build-args.js';
import type { KeepContainers } from '../build.js';

/** As in the query, decoded by type. */
export interface ClassicQuery {
  readonly t: readonly string[];
  readonly dockerfile: string;
  readonly remote: string;
  readonly q: boolean;
  readonly nocache: boolean;
  readonly cachefrom: string;
  readonly pull: string;
  readonly rm: boolean;
  readonly forcerm: boolean;
  readonly buildargs: string;
  readonly labels: string;
  readonly networkmode: string;
  readonly extrahosts: readonly string[];
  readonly target: string;
  readonly platform: string;
  readonly shmsize: number | undefined;
  readonly memory: number | undefined;
  readonly memswap: number | undefined;
  readonly cpushares: number | undefined;
  readonly cpuperiod: number | undefined;
  readonly cpuquota: number | undefined;
  readonly cpusetcpus: string;
  readonly cpusetmems: string;
  readonly cgroupparent: string;
  readonly ulimits: string;
  readonly squash: boolean;
  readonly isolation: string;
  readonly securityopt: string;
  readonly version: string;
  readonly outputs: string;
  readonly buildid: string;
  /** What happens to each step, as it happens, instead of the classic text. */
  readonly vertices: boolean;
}

/** What the query means. */
export interface ClassicOptions {
  readonly tags: readonly string[];
  readonly dockerfile: string;
  readonly remote: string;
  readonly quiet: boolean;
  readonly useCache: boolean;
  readonly cacheFrom: readonly string[];
  readonly pull: boolean;
  readonly keepContainers: KeepContainers;
  readonly args: GivenArgs;
  readonly labels: Readonly<Record<string, string>>;
  readonly target: string;
  readonly platform: string;
  readonly hostConfig: HostConfig;
  readonly buildId: string;
}

const maxTags = 1000;

/** Reads all of it. `checkTag` refuses what is no name of an image, and shows what is one. */
export function readOptions(
  query: ClassicQuery,
  checkTag: (text: string) => string,
): ClassicOptions {
  refuse(query);
  if (query.t.length > maxTags) throw invalidParameter('too many tags');
  const tags = query.t.map(checkTag).filter((tag) => tag !== '');
  return {
    tags: [...new Set(tags)],
    dockerfile: query.dockerfile === '' ? 'Dockerfile' : query.dockerfile,
    remote: query.remote,
    quiet: query.q,
    useCache: !query.nocache,
    cacheFrom: readJson(query.cachefrom, 'cache-from', strings) ?? [],
    pull: isOn(query.pull),
    keepContainers: query.rm ? (query.forcerm ? 'never' : 'ifFailed') : keepWithoutRm(query),
    args: readJson(query.buildargs, 'build args', argsOf) ?? {},
    labels: readJson(query.labels, 'labels', labelsOf) ?? {},
    target: query.target,
    platform: checkPlatform(query.platform),
    hostConfig: hostConfigOf(query),
    buildId: query.buildid,
  };
}

/** As Docker reads it: docker-py says `False`. */
function isOn(text: string): boolean {
  return !['', '0', 'false', 'no', 'none'].includes(text.trim().toLowerCase());
}

/** `forcerm` alone removes those that failed too. */
function keepWithoutRm({ forcerm }: ClassicQuery): KeepContainers {
  return forcerm ? 'never' : 'always';
}

function refuse({ squash, version, outputs, isolation }: ClassicQuery): void {
  if (!['', '1', '2'].includes(version)) {
    throw invalidParameter(`invalid version ${JSON.stringify(version)}`);
  }
  if (version === '2') throw invalidParameter('BuildKit is not served by POST /build');
  if (squash) throw invalidParameter('squash is only supported with experimental mode');
  if (isolation !== '' && isolation !== 'default') {
    throw invalidParameter(`unsupported isolation: ${isolation}`);
  }
  const wanted = readJson(outputs, '', listOf);
  if (wanted !== undefined && wanted.length > 0) {
    throw invalidParameter('multiple outputs are not supported by the classic builder');
  }
}

function hostConfigOf(query: ClassicQuery): HostConfig {
  const numbers = {
    ShmSize: query.shmsize,
    Memory: query.memory,
    MemorySwap: query.memswap,
    CpuShares: query.cpushares,
    CpuPeriod: query.cpuperiod,
    CpuQuota: query.cpuquota,
  };
  const texts = {
    CpusetCpus: query.cpusetcpus,
    CpusetMems: query.cpusetmems,
    CgroupParent: query.cgroupparent,
    NetworkMode: query.networkmode,
  };
  const given: readonly [string, string | number | undefined][] = [
    ...Object.entries(numbers).filter(([, value]) => value !== undefined && value !== 0),
    ...Object.entries(texts).filter(([, value]) => value !== ''),
  ];
  const ulimits = readJson(query.ulimits, 'ulimit settings', ulimitsOf) ?? [];
  const security = readJson(query.securityopt, 'security options', strings) ?? [];
  return {
    ...Object.fromEntries(given),
    ...(query.extrahosts.length === 0 ? {} : { ExtraHosts: query.extrahosts }),
    ...(ulimits.length === 0 ? {} : { Ulimits: ulimits }),
    ...(security.length === 0 ? {} : { SecurityOpt: security }),
  };
}

function readJson<T>(
  text: string,
  what: string,
  read: (value: unknown) => T | undefined,
): T | undefined {
  if (text === '') return undefined;
  const about = what === '' ? 'invalid outputs specified' : `error reading ${what}`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalidParameter(`${about}: ${goSyntaxError(text)}`, error);
  }
  if (value === null) return undefined;
  const result = read(value);
  if (result !== undefined) return result;
  throw invalidParameter(`${about}: json: cannot unmarshal ${typeof value} into Go value`);
}

/** As Go would say it, as far as the first character tells. */
function goSyntaxError(text: string): string {
  const first = text.trimStart()[0] ?? '';
  return /[{["\d\-tfn]/.test(first)
    ? 'unexpected end of JSON input'
    : `invalid character '${first}' looking for beginning of value`;
}

function listOf(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value : undefined;
}

function strings(value: unknown): readonly string[] | undefined {
  const isStrings = Array.isArray(value) && value.every((item) => typeof item === 'string');
  return isStrings ? value : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function argsOf(value: unknown): GivenArgs | undefined {
  if (!isRecord(value)) return undefined;
  const entries = Object.entries(value);
  const isRight = entries.every(([, item]) => item === null || typeof item === 'string');
  // Checked: each is a string or null.
  return isRight ? (value as Record<string, string | null>) : undefined;
}

function labelsOf(value: unknown): Readonly<Record<string, string>> | undefined {
  const entries = isRecord(value) ? Object.entries(value) : undefined;
  if (entries === undefined) return undefined;
  if (!entries.every(([, item]) => typeof item === 'string')) return undefined;
  return Object.fromEntries(entries.map(([name, item]) => [name, String(item)]));
}

function ulimitsOf(value: unknown): readonly Ulimit[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const limits = value.flatMap((item: unknown) => {
    if (!isRecord(item)) return [];
    const { Name: name, Soft: soft, Hard: hard } = item;
    if (typeof name !== 'string' || typeof soft !== 'number' || typeof hard !== 'number') return [];
    return [{ Name: name, Soft: soft, Hard: hard }];
  });
  return limits.length === value.length ? limits : undefined;
}

/** Credentials by registry, as the `X-Registry-Config` header carries them. */
export type RegistryConfig = Readonly<Record<string, AuthConfig>>;

const hubNames = ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io'];

/** Those of one registry's host; Docker Hub goes by several names. */
export function authOf(config: RegistryConfig, host: string): AuthConfig {
  const names = host === 'docker.io' ? hubNames : [host, `https://${host}`, `http://${host}`];
  for (const name of names) {
    const found = Object.hasOwn(config, name) ? config[name] : undefined;
    if (found !== undefined) return found;
  }
  return {};
}
