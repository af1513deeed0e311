/** `$.linux.resources`: the limits of the control group. */
import type {
  OciBlockIo, OciCpu, OciDeviceRule, OciMemory, OciResources, OciThrottleDevice,
} from '../../daemon/runtime/oci.js';
import { defaultDeviceRules } from '../../daemon/runtime/spec/devices.js';
import { given, type JsonValue } from './json-value.js';

const MAX = Number.MAX_SAFE_INTEGER;
const notYet = ['hugepageLimits', 'network', 'rdma', 'unified'];

/** Throws `OciError`. */
export function parseResources(json: JsonValue): OciResources {
  for (const name of notYet) {
    const { value } = json.at(name);
    const isThere = typeof value === 'object' && value !== null && Object.keys(value).length > 0;
    if (isThere) throw json.at(name).wrong('not supported yet');
  }
  return given({
    devices: parseDeviceRules(json.at('devices')),
    memory: json.at('memory').optional(parseMemory),
    cpu: json.at('cpu').optional(parseCpu),
    pids: json.at('pids').optional((pids) => ({
      limit: pids.at('limit').required().integer(-1, MAX),
    })),
    blockIO: json.at('blockIO').optional(parseBlockIo),
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

function parseMemory(json: JsonValue): OciMemory {
  const bytes = (name: string): number | undefined =>
    json.at(name).optional((each) => each.integer(-1, MAX));
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
  for (const name of ['burst', 'idle']) {
    if ((json.at(name).optional((each) => each.integer(0, MAX)) ?? 0) > 0) {
      throw json.at(name).wrong('not supported yet');
    }
  }
  const number = (name: string): number | undefined =>
    json.at(name).optional((each) => each.integer(-1, MAX));
  const set = (name: string): string | undefined =>
    json.at(name).optional((each) => (each.text() === '' ? undefined : each.text()));
  return given({
    shares: number('shares'), quota: number('quota'), period: number('period'),
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
