/** config-linux.md and features.md of the OCI runtime specification: limits; what can be done. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readHostFacts } from '../../../daemon/runtime/host-facts.js';
import { holdRequirements, type Box, type Requirement } from '../../support/oci-conformance.js';

const isV2 = readHostFacts().cgroups.version === 2;

/** The container's file of a limit, `controller/file` in version 1. */
function limit(box: Box, v1: string, v2: string): string {
  const [controller = '', file = ''] = v1.split('/');
  const path = isV2 ? join(box.id, v2) : join(controller, box.id, file);
  return readFileSync(join('/sys/fs/cgroup', path), 'utf8').trim();
}

/** Created with these limits in a group of its own, at the root of the hierarchies. */
async function limited(box: Box, resources: object): Promise<void> {
  box.configure(({ linux }) => Object.assign(linux, { cgroupsPath: `/${box.id}`, resources }));
  await box.create();
}

const MIB = 1024 ** 2;

/** A limit, where the kernel shows it, and how. */
const limits: readonly (readonly [string, object, readonly string[]])[] = [
  ['memory.limit', { memory: { limit: 64 * MIB } },
    ['memory/memory.limit_in_bytes', 'memory.max', `${64 * MIB}`]],
  ['memory.reservation', { memory: { limit: 64 * MIB, reservation: 32 * MIB } },
    ['memory/memory.soft_limit_in_bytes', 'memory.low', `${32 * MIB}`]],
  ['pids.limit', { pids: { limit: 77 } }, ['pids/pids.max', 'pids.max', '77']],
  ['cpu.quota and cpu.period', { cpu: { quota: 20_000, period: 50_000 } },
    ['cpu/cpu.cfs_quota_us', 'cpu.max', '20000', '20000 50000']],
  ['cpu.shares', { cpu: { shares: 2048 } }, ['cpu/cpu.shares', 'cpu.weight', '2048', '79']],
];

const groups: readonly Requirement[] = [
  {
    section: 'Cgroups path', says: 'an absolute path begins at the mount point of the cgroups',
    holds: async (box) => {
      await limited(box, {});
      assert.ok(existsSync(join('/sys/fs/cgroup', isV2 ? box.id : `pids/${box.id}`)));
    },
  },
  {
    section: 'Cgroups path', says: 'the same value is the same place, again and again',
    holds: async (box) => {
      for (let i = 0; i < 2; i++) {
        await limited(box, { pids: { limit: 50 + i } });
        assert.equal(limit(box, 'pids/pids.max', 'pids.max'), String(50 + i));
        await box.does('delete', '--force', box.id);
      }
    },
  },
  ...limits.map(([name, resources, [v1 = '', v2 = '', of1 = '', of2 = of1]]): Requirement => ({
    section: 'Control groups', says: `${name} is the group's`,
    holds: async (box) => {
      await limited(box, resources);
      assert.equal(limit(box, v1, v2), isV2 ? of2 : of1);
    },
  })),
  {
    section: 'Allowed device list', says: 'entries are applied in the listed order',
    holds: async (box) => {
      // Whether there is a driver or not: the group's word comes first.
      const numbers = { type: 'c', major: 10, minor: 235 };
      box.configure(({ linux }) => (linux['devices'] = [{ ...numbers, path: '/dev/own' }]));
      const opens = async (...allows: readonly boolean[]): Promise<string> => {
        box.configure(({ linux }) => {
          const rules = allows.map((allow) => ({ ...numbers, access: 'rwm', allow }));
          linux['resources'] = { devices: [{ allow: false, access: 'rwm' }, ...rules] };
        });
        return box.says('(: < /dev/own) 2>&1 || true');
      };
      assert.doesNotMatch(await opens(false, true), /not permitted/);
      assert.match(await opens(true, false), /not permitted/);
    },
  },
  {
    section: 'Unified', says: 'what the runtime does not know is written all the same',
    skip: !isV2 && 'control groups are of version 1',
    holds: async (box) => {
      await limited(box, { unified: { 'memory.high': String(48 * MIB) } });
      assert.equal(limit(box, '', 'memory.high'), String(48 * MIB));
    },
  },
  {
    section: 'Unified', says: 'a controller that is not there is an error',
    holds: async (box) => {
      box.configure(({ linux }) => (linux['resources'] = { unified: { 'luck.max': '1' } }));
      await box.refuses();
    },
  },
];

interface Features {
  readonly ociVersionMin: string;
  readonly ociVersionMax: string;
  readonly mountOptions?: readonly string[];
}

async function featuresOf(box: Box): Promise<Features> {
  // What tests look at.
  return JSON.parse(await box.does('features')) as Features;
}

const features: readonly Requirement[] = [
  {
    section: 'Features structure', says: 'ociVersionMin and ociVersionMax are taken (1.1)',
    holds: async (box) => {
      const { ociVersionMin, ociVersionMax } = await featuresOf(box);
      for (const version of [ociVersionMin, ociVersionMax]) {
        box.configure((config) => (config['ociVersion'] = version));
        assert.equal(await box.says('echo well'), 'well');
      }
    },
  },
  {
    section: 'Features structure', says: 'every mount option that is named is known (1.1)',
    holds: async (box) => {
      const known = (await featuresOf(box)).mountOptions ?? [];
      assert.ok(known.length > 0);
      const others = new Set(['bind', 'rbind', 'remount', 'idmap', 'ridmap', 'copy-symlink']);
      box.configure(({ mounts }) => {
        const all = known.filter((name) => !others.has(name)).map((name) => ({
          destination: `/dev/shm/m/${name}`, type: 'tmpfs', source: 'tmpfs', options: [name],
        }));
        mounts.push(...all);
      });
      assert.equal(await box.says('echo well'), 'well');
    },
  },
];

holdRequirements('config-linux.md', groups);
holdRequirements('features.md', features);
