import { test } from 'tap';
import type { ContainerConfig, HostConfig } from '../../../api-spec/index.js';
import { checkHostConfig } from '../../../daemon/containers/validate-host.js';

const check = (hostConfig: HostConfig, config: ContainerConfig = {}) => () => {
  checkHostConfig(config, hostConfig, { runtimes: ['runc'] });
};

const refused: readonly (readonly [HostConfig, string])[] = [
  [{ CgroupnsMode: 'x' }, 'invalid cgroup namespace mode: x'],
  [{ IpcMode: 'container' }, 'invalid IPC mode: container'],
  [{ PidMode: 'private' }, 'invalid PID mode: private'],
  [{ PidMode: 'container:' }, 'invalid PID mode: container:'],
  [{ UTSMode: 'container:x' }, 'invalid UTS mode: container:x'],
  [
    { NetworkMode: 'container:' },
    'Invalid network mode: invalid container format container:<name|id>',
  ],
  [{ Runtime: 'x' }, 'unknown or invalid runtime name: x'],
  [{ Isolation: 'hyperv' }, 'Invalid isolation: "hyperv" - linux only supports \'default\''],
  [
    { IOMaximumIOps: 1 },
    'Invalid QoS settings: linux does not support configuration of maximum IOPs',
  ],
  [{ StorageOpt: { x: 'y' } }, 'Unknown option x'],
  [
    { StorageOpt: { size: '1G' } },
    "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
  ],
  [
    { Annotations: { '': 'x' } },
    'invalid Annotations: the empty string is not permitted as an annotation key',
  ],
  [{ Dns: ['x'] }, 'bad nameserver address x: ParseAddr("x"): unable to parse IP'],
  [{ ExtraHosts: ['a'] }, 'bad format for add-host: "a"'],
  [{ ExtraHosts: [':1.2.3.4'] }, 'bad format for add-host: ":1.2.3.4"'],
  [{ ExtraHosts: ['a:x'] }, 'invalid IP address in add-host: "x"'],
  [
    { NetworkMode: 'container:x', Dns: ['1.1.1.1'] },
    'conflicting options: dns and the network mode',
  ],
  [
    { NetworkMode: 'container:x', PublishAllPorts: true },
    'conflicting options: port publishing and the container type network mode',
  ],
  [
    { NetworkMode: 'host', Links: ['x'] },
    "conflicting options: host type networking can't be used with links. " +
      'This would result in undefined behavior',
  ],
  [
    { Mounts: [{ Type: 'bind', BindOptions: { ReadOnlyForceRecursive: true } }] },
    'mount options conflict: !ReadOnly && BindOptions.ReadOnlyForceRecursive',
  ],
];

for (const [hostConfig, words] of refused) {
  test(`${JSON.stringify(hostConfig)} is refused`, async (t) => {
    t.throws(check(hostConfig), { kind: 'InvalidParameter', message: words });
  });
}

test('what is usual is not refused', async (t) => {
  const usual: HostConfig = {
    CgroupnsMode: '', IpcMode: 'container:x', PidMode: 'host', UTSMode: 'host', Runtime: 'runc',
    Isolation: 'default', StorageOpt: {}, Dns: ['1.1.1.1', '::1'],
    ExtraHosts: ['a:host-gateway', 'b:::1', 'c=1.2.3.4', 'd:[::1]'],
    Mounts: [{ Type: 'bind', ReadOnly: true, BindOptions: { ReadOnlyForceRecursive: true } }],
  };
  t.doesNotThrow(check(usual));
  t.doesNotThrow(check({ NetworkMode: 'container:x' }));
});

test('a name of its own goes with neither the host\'s nor another\'s namespace', async (t) => {
  const config = { Hostname: 'x' };
  t.throws(check({ UTSMode: 'host' }, config), /hostname and the UTS mode/);
  t.throws(check({ NetworkMode: 'container:x' }, config), /hostname and the network mode/);
});
