/** `$.process`: who runs what, as whom, with which limits and privileges. */
import {
  cpusOf, ioClassNames, memoryFlagNames, memoryModeNames, policyNames, schedulerFlagNames,
} from '../../daemon/runtime/compile/schedule.js';
import type {
  OciCapabilities, OciMemoryPolicy, OciProcess, OciRlimit, OciScheduler,
} from '../../daemon/runtime/oci.js';
import { rlimitNumbers } from '../../daemon/runtime/spec/rlimits.js';
import { given, type JsonValue } from './json-value.js';

const MAX_ID = 2 ** 32 - 2;
const MAX_SIZE = 65_535;
/** What is no limit: 2^64 - 1, which JSON.parse rounds; anything above what the kernel counts. */
const INFINITY_FROM = 2 ** 63;

/** Throws `OciError`. `held` are the capabilities that can be given. */
export function parseProcess(json: JsonValue, held: ReadonlySet<string>): OciProcess {
  json.required();
  const label = json.at('selinuxLabel');
  if (!label.isAbsent && label.text() !== '') throw label.wrong('needs SELinux: not supported');
  const args = json.at('args').required().list((each) => each.text());
  if (args.length === 0) throw json.at('args').wrong('must not be empty');
  const cwd = json.at('cwd').required();
  if (!cwd.text().startsWith('/')) throw cwd.wrong('must be absolute');
  const truth = (name: string): boolean => json.at(name).optional((each) => each.truth()) ?? false;
  const profile = json.at('apparmorProfile').optional((each) => each.text());
  return given({
    terminal: truth('terminal'),
    consoleSize: json.at('consoleSize').optional((size) => ({
      height: size.at('height').required().integer(0, MAX_SIZE),
      width: size.at('width').required().integer(0, MAX_SIZE),
    })),
    user: parseUser(json.at('user')),
    args,
    env: json.at('env').list((each) => each.text()),
    cwd: cwd.text(),
    capabilities: parseCapabilities(json.at('capabilities'), held),
    rlimits: parseRlimits(json.at('rlimits')),
    noNewPrivileges: truth('noNewPrivileges'),
    apparmorProfile: profile === '' ? undefined : profile,
    oomScoreAdj: json.at('oomScoreAdj').optional((each) => each.integer(-1000, 1000)),
    scheduler: json.at('scheduler').optional(parseScheduler),
    ioPriority: json.at('ioPriority').optional((each) => ({
      class: each.at('class').required().word(ioClassNames),
      priority: each.at('priority').optional((value) => value.integer(0, 7)) ?? 0,
    })),
    execCPUAffinity: json.at('execCPUAffinity').optional((each) => given({
      initial: each.at('initial').optional(cpuList), final: each.at('final').optional(cpuList),
    })),
  });
}

function cpuList(json: JsonValue): string {
  const text = json.text();
  if (text !== '' && cpusOf(text) === undefined) throw json.wrong('must be like 0-3,7');
  return text;
}

/** What only some policies have is refused with the others. (runtime-spec config.md, Scheduler) */
function parseScheduler(json: JsonValue): OciScheduler {
  const policy = json.at('policy').required().word(policyNames);
  const time = (name: string): number | undefined =>
    json.at(name).optional((each) => each.integer(0, Number.MAX_SAFE_INTEGER));
  const scheduler = given({
    policy,
    nice: json.at('nice').optional((each) => each.integer(-20, 19)),
    priority: json.at('priority').optional((each) => each.integer(0, 99)),
    flags: json.at('flags').list((each) => each.word(schedulerFlagNames)),
    runtime: time('runtime'), deadline: time('deadline'), period: time('period'),
  });
  const isRealTime = policy === 'SCHED_FIFO' || policy === 'SCHED_RR';
  if ((scheduler.priority ?? 0) > 0 && !isRealTime) {
    throw json.at('priority').wrong('is of SCHED_FIFO and SCHED_RR only');
  }
  for (const name of ['runtime', 'deadline', 'period'] as const) {
    if ((scheduler[name] ?? 0) > 0 && policy !== 'SCHED_DEADLINE') {
      throw json.at(name).wrong('is of SCHED_DEADLINE only');
    }
  }
  return scheduler;
}

/** Which nodes a mode wants, or whether it wants any, is the kernel's to say. */
export function parseMemoryPolicy(json: JsonValue): OciMemoryPolicy {
  return given({
    mode: json.at('mode').required().word(memoryModeNames),
    nodes: json.at('nodes').optional(cpuList),
    flags: json.at('flags').list((each) => each.word(memoryFlagNames)),
  });
}

function parseUser(json: JsonValue): OciProcess['user'] {
  const id = (value: JsonValue): number => value.integer(0, MAX_ID);
  return given({
    uid: json.at('uid').optional(id) ?? 0,
    gid: json.at('gid').optional(id) ?? 0,
    umask: json.at('umask').optional((each) => each.integer(0, 0o777)),
    additionalGids: json.at('additionalGids').list(id),
  });
}

/** A name that this machine cannot give is passed over; the rest of the sandbox stands without. */
function parseCapabilities(json: JsonValue, held: ReadonlySet<string>): OciCapabilities {
  const set = (name: keyof OciCapabilities): readonly string[] =>
    json.at(name).list((each) => each.text().toUpperCase()).filter((each) => held.has(each));
  const permitted = set('permitted');
  const inheritable = set('inheritable');
  return {
    bounding: set('bounding'),
    effective: set('effective'),
    permitted,
    inheritable,
    ambient: set('ambient').filter(
      (each) => permitted.includes(each) && inheritable.includes(each),
    ),
  };
}

function parseRlimits(json: JsonValue): readonly OciRlimit[] {
  const seen = new Set<string>();
  return json.list((each) => {
    const type = each.at('type').required();
    const isKnown = rlimitNumbers[type.text().replace(/^RLIMIT_/, '').toLowerCase()] !== undefined;
    if (!isKnown || !type.text().startsWith('RLIMIT_')) throw type.wrong('is no resource limit');
    if (seen.has(type.text())) throw type.wrong('is there twice');
    seen.add(type.text());
    const limit = (name: string): number => {
      const value = each.at(name).required().integer(-1, 2 ** 64);
      return value >= INFINITY_FROM ? -1 : value;
    };
    const [soft, hard] = [limit('soft'), limit('hard')];
    if (hard !== -1 && (soft === -1 || soft > hard)) {
      throw each.at('soft').wrong('must not be more than the hard limit');
    }
    return { type: type.text(), soft, hard };
  });
}
