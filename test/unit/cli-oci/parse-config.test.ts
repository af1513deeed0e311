import { test } from 'tap';
import { defaultConfig } from '../../../cli/oci-runtime/default-bundle.js';
import { parseConfig, type ParsedConfig } from '../../../cli/oci-runtime/parse-config.js';
import { capabilityNames } from '../../../daemon/runtime/spec/capabilities.js';

const read = (text: string): ParsedConfig =>
  parseConfig(text, {
    bundle: '/bundle', cgroupsPath: '/own', architecture: 'amd64',
    capabilities: new Set(capabilityNames),
  });

/** The default configuration, nameless, with members of its top level replaced. */
const withMembers = (members: object): ParsedConfig =>
  read(JSON.stringify({ ...defaultConfig(), hostname: '', ...members }));

const process = { args: ['x'], cwd: '/' };
const linux = { namespaces: [{ type: 'mount' }] };

test('the default bundle is one that we take ourselves', async (t) => {
  const { config, rootfs } = read(JSON.stringify(defaultConfig()));
  t.equal(rootfs, '/bundle/rootfs');
  t.same(
    config.linux.namespaces.map(({ type }) => type),
    ['pid', 'network', 'mount', 'ipc', 'uts'],
  );
  t.match(config.process, {
    noNewPrivileges: true, terminal: true,
    rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 1024 }],
  });
  t.ok(config.linux.maskedPaths.includes('/proc/kcore'));
  t.ok(config.linux.readonlyPaths.includes('/proc/sys'));
  t.equal(config.linux.cgroupsPath, '/own');
});

test('what is not known is ignored, and null is as good as absent', async (t) => {
  const { config } = withMembers({
    process,
    linux: { ...linux, colour: 'red' },
    x: 1,
    mounts: null,
  });
  t.same(config.mounts, []);
  t.same(config.process.capabilities.bounding, []);
});

test('the devices of every container are there and allowed, whatever is forbidden', async (t) => {
  const resources = { devices: [{ allow: false, access: 'rwm' }] };
  const devices = [{ path: '/dev/null', type: 'c', major: 7, minor: 7 }];
  const { config } = withMembers({ linux: { ...linux, resources, devices } });
  t.match(config.linux.resources.devices[0], { allow: false, type: 'a', access: 'rwm' });
  t.ok(config.linux.resources.devices.some((rule) => rule.allow && rule.minor === 3));
  const nulls = config.linux.devices.filter(({ path }) => path === '/dev/null');
  t.match(nulls, [{ major: 7 }], 'save that the configuration\'s own win');
});

test('no limit is 2^64 - 1, which JSON rounds', async (t) => {
  const text = JSON.stringify({ ...defaultConfig(), process }).replace(
    '"cwd"',
    '"rlimits":[{"type":"RLIMIT_CORE","soft":0,"hard":18446744073709551615}],"cwd"',
  );
  t.match(read(text).config.process.rlimits, [{ soft: 0, hard: -1 }]);
});

test('a bind may be told by its options, from a path within the bundle', async (t) => {
  const mounts = [
    { destination: '/data/', source: 'data', type: 'none', options: ['rbind', 'ro'] },
  ];
  t.match(withMembers({ mounts }).config.mounts, [
    { destination: '/data', type: 'bind', source: '/bundle/data', options: ['rbind', 'ro'] },
  ]);
});

test('errors name the path of what is wrong', async (t) => {
  const cases: readonly (readonly [object, string])[] = [
    [{ ociVersion: '2.0.0' }, '$.ociVersion: must be a version 1.x.y'],
    [{ root: null }, '$.root: is missing'],
    [{ process: { ...process, env: ['A=1', 2] } }, '$.process.env[1]: must be a string'],
    [{ process: { ...process, user: { uid: -1 } } }, '$.process.user.uid: must be from 0 to'],
    [
      { process: { ...process, rlimits: [{ type: 'NOFILE' }] } },
      '$.process.rlimits[0].type: is no',
    ],
    [{ linux: {} }, '$.linux.namespaces: not supported yet: no mount namespace'],
    [
      { linux: { ...linux, seccomp: { defaultAction: 'ALLOW' } } },
      '$.linux.seccomp.defaultAction:',
    ],
    [
      { linux: { ...linux, seccomp: { syscalls: {} } } },
      '$.linux.seccomp.defaultAction: is missing',
    ],
    [{ linux: { ...linux, cgroupsPath: 'a.slice:b:c' } }, '$.linux.cgroupsPath: not supported yet'],
    [{ linux: { ...linux, intelRdt: { closID: 'x' } } }, '$.linux.intelRdt: not supported yet'],
    [{ hostname: 'h', linux }, '$.hostname: needs a uts namespace'],
    [{ mounts: [{ destination: '/x' }] }, '$.mounts[0].type: is missing'],
    [{ hooks: { startContainer: [{ path: '/x' }] } }, '$.hooks.startContainer: not supported yet'],
    [{ hooks: { poststop: [{ path: 'x' }] } }, '$.hooks.poststop[0].path: must be absolute'],
  ];
  for (const [members, words] of cases) {
    const escaped = new RegExp(words.replace(/[$[\].]/g, '\\$&'));
    t.throws(() => withMembers(members), { message: escaped }, words);
  }
  t.throws(() => read('{'), { message: /^config\.json: / });
});
