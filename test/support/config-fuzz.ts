/** Whatever config.json says, it is refused by a path, or becomes a program that can be encoded. */
import type { Test } from 'tap';
import { defaultConfig } from '../../cli/oci-runtime/default-bundle.js';
import { OciError } from '../../cli/oci-runtime/oci-error.js';
import { parseConfig } from '../../cli/oci-runtime/parse-config.js';
import { compileLaunch } from '../../daemon/runtime/compile.js';
import { installedFilter } from '../../daemon/runtime/seccomp/flags.js';
import { capabilityNames } from '../../daemon/runtime/spec/capabilities.js';
import { encodeProgram } from '../../native/launch/encode.js';
import { planOf } from '../unit/runtime/builders.js';

const ids = [{ containerID: 0, hostID: 1000, size: 10 }];

/** With everything in it that can be changed. */
const seed = JSON.stringify({
  ...defaultConfig(),
  hooks: {
    prestart: [{ path: '/x', args: ['x'], env: ['A=b'], timeout: 3 }],
    createContainer: [{ path: '/x' }], startContainer: [{ path: '/x' }],
  },
  annotations: { a: 'b' },
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/dev', type: 'tmpfs', options: ['mode=755', 'nosuid', 'tmpcopyup'] },
    { destination: '/m', source: '/', options: ['rbind', 'rro', 'idmap', 'rslave'] },
  ],
  linux: {
    namespaces: ['mount', 'pid', 'user', 'uts', 'time', 'network'].map((type) => ({ type })),
    uidMappings: ids, gidMappings: ids, timeOffsets: { boottime: { secs: -1, nanosecs: 2 } },
    devices: [{ path: '/dev/x', type: 'c', major: 1, minor: 3, fileMode: 438, uid: 0, gid: 0 }],
    rootfsPropagation: 'rslave', sysctl: { 'net.core.somaxconn': '9' },
    maskedPaths: ['/proc/kcore'], readonlyPaths: ['/proc/sys'], cgroupsPath: '/x',
    resources: {
      memory: { limit: 1e9, swap: -1 }, cpu: { quota: 5000, period: 10_000, cpus: '0-1' },
      pids: { limit: 9 }, hugepageLimits: [{ pageSize: '2MB', limit: 9 }],
      blockIO: { weight: 10, throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 9 }] },
      devices: [{ allow: true, type: 'c', major: 1, minor: -1, access: 'rwm' }],
    },
    seccomp: {
      defaultAction: 'SCMP_ACT_ERRNO', listenerPath: '/l', flags: ['SECCOMP_FILTER_FLAG_LOG'],
      syscalls: [
        { names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' },
        { names: ['read'], action: 'SCMP_ACT_ALLOW',
          args: [{ index: 0, value: 7, valueTwo: 1, op: 'SCMP_CMP_MASKED_EQ' }] },
      ],
    },
  },
});

/** The same numbers each time: what fails once fails again. */
function randomBelow(start: number): Random {
  let state = start;
  return (bound) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

const odd: readonly unknown[] = [
  null, true, -1, 0, 1.5, 2 ** 53, 1e300, '', '\0', '/', '..', 'x'.repeat(5000), [], [null], {},
  { a: 1 }, '\u{1f600}', '__proto__', '-9', 'rbind', ['ro', 'rw'],
];

type Random = (bound: number) => number;

/** One member, somewhere, is another value, gone, or there twice. */
function mutate(value: unknown, below: Random): unknown {
  if (typeof value !== 'object' || value === null || below(6) === 0) return odd[below(odd.length)];
  const names = Object.keys(value);
  const name = names[below(names.length)];
  if (name === undefined) return odd[below(odd.length)];
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    if (below(8) === 0) return [...items, ...items];
    return items.map((item, at) => (String(at) === name ? mutate(item, below) : item));
  }
  const members = Object.entries(value);
  if (below(8) === 0) return Object.fromEntries(members.filter(([key]) => key !== name));
  return Object.fromEntries(members.map(([key, item]: [string, unknown]) =>
    [key, key === name ? mutate(item, below) : item]));
}

const context = {
  bundle: '/bundle', cgroupsPath: '/own', architecture: 'amd64',
  capabilities: new Set(capabilityNames), mapsOf: () => undefined,
} as const;

/** The words of the refusal; undefined for a configuration that is one. */
function refusal(text: string): string | undefined {
  try {
    const { config, hooks } = parseConfig(text, context);
    const { seccomp } = config.linux;
    const states = { createContainer: '/c', startContainer: '/s' };
    encodeProgram(compileLaunch(config, planOf({
      hooks: { ...hooks, states },
      ...(seccomp === undefined ? {} : { seccomp: installedFilter(seccomp) }),
    })).program);
    return undefined;
  } catch (error) {
    if (error instanceof OciError) return error.message;
    throw error;
  }
}

/** Where a row of changes begins. */
export interface Fuzzing {
  readonly start: number;
  /** Whether one more is to be tried after so many. */
  readonly goesOn: (tried: number) => boolean;
}

/** Changes the configuration again and again; fails with the first that is neither. */
export function fuzzConfig(t: Test, { start, goesOn }: Fuzzing): void {
  const below = randomBelow(start);
  t.equal(refusal(seed), undefined, 'what is changed is right before');
  const count = { tried: 0, taken: 0, refused: 0 };
  const nameless = new Set<string>();
  for (; goesOn(count.tried); count.tried++) {
    let config: unknown = JSON.parse(seed);
    for (let changes = below(3); changes >= 0; changes--) config = mutate(config, below);
    const text = JSON.stringify(config);
    try {
      const words = refusal(text);
      if (words === undefined) count.taken++;
      else count.refused++;
      if (!/^config\.json: \$[^ ]*: ./.test(words ?? 'config.json: $: it is none')) {
        nameless.add(words ?? '');
      }
    } catch (error) {
      t.fail(`${String(error)}: ${text.slice(0, 3000)}`);
      return;
    }
  }
  const few = count.tried / 20;
  t.ok(count.taken > few && count.refused > few, JSON.stringify(count));
  t.same([...nameless].slice(0, 5), [], 'each refusal names a path');
}
