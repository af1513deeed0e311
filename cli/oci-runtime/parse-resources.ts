/** `$.linux.resources`: the limits of the control group. */
import type {
  OciBlockIo, OciCpu, OciDeviceRule, OciHugepageLimit, OciMemory, OciResources, OciThrottleDevice,
} from '../../daemon/runtime/oci.js';
import { defaultDeviceRules } from '../../daemon/runtime/spec/devices.js';
import { given, type JsonValue } from './json-value.js';

const MAX = Number.MAX_SAFE_INTEGER;

/** Throws `OciError`. */
export function parseResources(json: JsonValue): OciResources {
  return given({
    devices: parseDeviceRules(json.at('devices')),
    memory: json.at('memory').optional(parseMemory),
    cpu: json.at('cpu').optional(parseCpu),
    pids: json.at('pids').optional((pids) => ({
      limit: pids.at('limit').required().integer(-1, MAX),
    })),
    blockIO: json.at('blockIO').optional(parseBlockIo),
    hugepageLimits: json.at('hugepageLimits').optional(parseHugepages),
    network: json.at('network').optional((network) => given({
      classID: network.at('classID').optional((each) => each.integer(0, 2 ** 32 - 1)),
      priorities: network.at('priorities').list((each) => ({
        name: each.at('name').required().text(),
        priority: each.at('priority').required().integer(0, 2 ** 32 - 1),
      })),
    })),
    rdma: json.at('rdma').optional((rdma) => rdma.map((device) => given({
      hcaHandles: device.at('hcaHandles').optional((each) => each.integer(0, 2 ** 32 - 1)),
      hcaObjects: device.at('hcaObjects').optional((each) => each.integer(0, 2 ** 32 - 1)),
    }))),
    unified: json.at('unified').optional((unified) => unified.map(parseUnified)),
  });
}

/** The devices that every container has stay allowed, whatever the configuration forbids. */
function parseDeviceRules(json: JsonValue): readonly OciDeviceRule[] {
  const own = json.list((each): OciDeviceRule => {
    const number = (name: string): number | undefined => {
      const value = each.at(name).optional((one) => one.integer(-1, 2 ** 32 - 1));
      return value === -1 ? undefined : value;
    };
    const access = each.at('access').optional((one) => one.text()) ?? '';
    if (!/^[rwm]{0,3}$/.test(access)) throw each.at('access').wrong('must be of r, w and m');
    const type = each.at('type').optional((one) => one.word(['a', 'b', 'c', 'u', 'p', ''])) ?? 'a';
    return given({
      allow: each.at('allow').required().truth(),
      type: type === 'b' || type === 'c' ? type : type === 'u' ? ('c' as const) : ('a' as const),
      major: number('major'), minor: number('minor'), access: access === '' ? 'rwm' : access,
    });
  });
  return own.length === 0 ? defaultDeviceRules : [...own, ...defaultDeviceRules.slice(1)];
}

function parseHugepages(json: JsonValue): readonly OciHugepageLimit[] {
  return json.list((each) => {
    const pageSize = each.at('pageSize').required();
    if (!/^[1-9]\d*[KMG]B$/.test(pageSize.text())) throw pageSize.wrong('must be like 2MB or 1GB');
    // 2^64 - 1 is none, which JSON.parse rounds.
    const limit = each.at('limit').required().integer(0, 2 ** 64);
    return { pageSize: pageSize.text(), limit: limit > MAX ? -1 : limit };
  });
}

/** A value of several lines is several writes to the kernel: it takes one. */
function parseUnified(json: JsonValue): string {
  const text = json.text();
  if (text.includes('\n')) throw json.wrong('must be one line');
  return text;
}

/** What is 0 was not said: so containerd's callers write it, and no limit is 0. */
function limit(json: JsonValue): number | undefined {
  const value = json.integer(-1, MAX);
  return value === 0 ? undefined : value;
}

function parseMemory(json: JsonValue): OciMemory {
  const bytes = (name: string): number | undefined =>
    json.at(name).optional(limit);
  for (const name of ['kernel', 'kernelTCP']) {
    if ((bytes(name) ?? 0) > 0)
      throw json.at(name).wrong('is not supported: the kernel dropped it');
  }
  return given({
    limit: bytes('limit'), reservation: bytes('reservation'), swap: bytes('swap'),
    swappiness: json.at('swappiness').optional((each) => each.integer(0, 100)),
    disableOOMKiller: json.at('disableOOMKiller').optional((each) => each.truth()),
  });
}

function parseCpu(json: JsonValue): OciCpu {
  const number = (name: string): number | undefined => json.at(name).optional(limit);
  const set = (name: string): string | undefined =>
    json.at(name).optional((each) => (each.text() === '' ? undefined : each.text()));
  return given({
    shares: number('shares'), quota: number('quota'), period: number('period'),
    burst: json.at('burst').optional((each) => each.integer(0, MAX)),
    idle: json.at('idle').optional((each) => each.integer(-1, 1)),
    realtimeRuntime: number('realtimeRuntime'), realtimePeriod: number('realtimePeriod'),
    cpus: set('cpus'), mems: set('mems'),
  });
}

function parseBlockIo(json: JsonValue): OciBlockIo {
  const node = (each: JsonValue): { readonly major: number; readonly minor: number } => ({
    major: each.at('major').required().integer(0, 2 ** 32 - 1),
    minor: each.at('minor').required().integer(0, 2 ** 32 - 1),
  });
  const throttle = (name: string): readonly OciThrottleDevice[] =>
    json.at(name).list((each) => ({
      ...node(each), rate: each.at('rate').required().integer(0, MAX),
    }));
  const weight = json.at('weight').optional((each) => each.integer(0, 1000));
  return given({
    weight: weight === 0 ? undefined : weight,
    weightDevice: json.at('weightDevice').list((each) => ({
      ...node(each), weight: each.at('weight').required().integer(10, 1000),
    })),
    throttleReadBpsDevice: throttle('throttleReadBpsDevice'),
    throttleWriteBpsDevice: throttle('throttleWriteBpsDevice'),
    throttleReadIOPSDevice: throttle('throttleReadIOPSDevice'),
    throttleWriteIOPSDevice: throttle('throttleWriteIOPSDevice'),
  });
}
