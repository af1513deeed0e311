/**
 * Every other field of HostConfig, by the API: it holds inside, or is refused or warned about as
 * Docker does. Together with the kernel's rows no field of the schema is left out.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tap, { test } from 'tap';
import { HostConfig } from '../../api-spec/index.js';
import { create, output } from '../support/containers.js';
import { startDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { runtimeRows } from '../support/host-config-rows.js';

tap.setTimeout(240_000);

type Field = keyof HostConfig;

/** What a container sees. */
interface Seen {
  readonly host: HostConfig;
  readonly config?: object;
  readonly script: string;
  readonly prints: string | RegExp;
}

/** By field; `{dir}` is a folder of the test's. */
const seen: Partial<Record<Field, readonly Seen[]>> = {
  Binds: [
    { host: { Binds: ['{dir}:/in:ro'] }, script: 'cat /in/a; touch /in/b 2>&1',
      prints: 'bound\ntouch: /in/b: Read-only file system' },
    { host: { Binds: ['hc-vol:/bin-copy'] }, script: 'echo kept > /bin-copy/file', prints: '' },
  ],
  Mounts: [
    { host: { Mounts: [{ Type: 'bind', Source: '{dir}', Target: '/in' }] }, script: 'cat /in/a',
      prints: 'bound' },
    { host: { Mounts: [{ Type: 'volume', Source: 'hc-vol', Target: '/v' }] },
      script: 'cat /v/file; mkdir -p /v/sub/deep; echo deep > /v/sub/deep/x; ' +
        'ln -s sub/deep /v/link; ln -s ../../etc /v/out', prints: 'kept' },
    ...['sub/deep', 'link', 'sub/../link/.'].map((Subpath) => ({
      host: { Mounts: [
        { Type: 'volume' as const, Source: 'hc-vol', Target: '/v', VolumeOptions: { Subpath } },
      ] }, script: 'cat /v/x; ls /v', prints: 'deep\nx',
    })),
    { host: { Mounts: [{ Type: 'volume', Source: 'hc-vol', Target: '/f',
      VolumeOptions: { Subpath: 'file' } }] }, script: 'cat /f', prints: 'kept' },
    { host: { Mounts: [{ Type: 'tmpfs', Target: '/t',
      TmpfsOptions: { SizeBytes: 65536, Mode: 0o700 } }] },
      script: 'df -k /t | tail -n1 | awk "{print \\$2}"; stat -c %a /t', prints: '64\n700' },
  ],
  Tmpfs: [
    { host: { Tmpfs: { '/t': 'size=65536,mode=750' } },
      script: 'df -k /t | tail -n1 | awk "{print \\$2}"; stat -c %a /t', prints: '64\n750' },
  ],
  VolumeDriver: [
    { host: { VolumeDriver: 'local', Binds: ['hc-vol:/v'] }, script: 'cat /v/file',
      prints: 'kept' },
  ],
  Dns: [
    { host: { Dns: ['192.0.2.7'] }, script: 'grep nameserver /etc/resolv.conf',
      prints: 'nameserver 192.0.2.7' },
  ],
  DnsOptions: [
    { host: { DnsOptions: ['ndots:3'] }, script: 'grep options /etc/resolv.conf',
      prints: 'options ndots:3' },
  ],
  DnsSearch: [
    { host: { DnsSearch: ['example.org'] }, script: 'grep search /etc/resolv.conf',
      prints: 'search example.org' },
  ],
  ExtraHosts: [
    { host: { ExtraHosts: ['there:192.0.2.9'] }, script: 'grep there /etc/hosts',
      prints: '192.0.2.9\tthere' },
    { host: { ExtraHosts: ['up:host-gateway'] }, script: 'grep -c "[0-9].*up$" /etc/hosts',
      prints: '1' },
  ],
  NetworkMode: [
    { host: { NetworkMode: 'none' }, script: 'ls /sys/class/net', prints: 'lo' },
    { host: {}, config: { NetworkDisabled: true }, script: 'ls /sys/class/net', prints: 'lo' },
  ],
  UTSMode: [
    { host: { UTSMode: 'host' }, script: 'cat /proc/sys/kernel/hostname', prints: /^(?!.{12}$)/ },
  ],
  Runtime: [{ host: { Runtime: 'runc' }, script: 'echo ran', prints: 'ran' }],
  LogConfig: [
    { host: { LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } } },
      script: 'echo logged', prints: 'logged' },
  ],
  UsernsMode: [
    { host: { UsernsMode: 'host' }, script: 'cat /proc/self/uid_map', prints: /^ +0 +0 +\d+$/ },
  ],
  Isolation: [{ host: { Isolation: 'default' }, script: 'echo ran', prints: 'ran' }],
};

/** What is refused, or warned about, when the container is made. */
const told: Partial<Record<Field, readonly (readonly [HostConfig, string | RegExp])[]>> = {
  DeviceRequests: [
    [{ DeviceRequests: [{ Driver: 'nvidia', DeviceIDs: ['0'] }] },
      'could not select device driver "nvidia" with capabilities: []'],
    [{ DeviceRequests: [{ Driver: '', Count: -1, Capabilities: [['gpu']] }] },
      'could not select device driver "" with capabilities: [[gpu]]'],
  ],
  StorageOpt: [
    [{ StorageOpt: { size: '10G' } },
      "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"],
  ],
  IOMaximumIOps: [
    [{ IOMaximumIOps: 2 },
      'Invalid QoS settings: linux does not support configuration of maximum IOPs'],
  ],
  IOMaximumBandwidth: [
    [{ IOMaximumBandwidth: 2 },
      'Invalid QoS settings: linux does not support configuration of maximum bandwidth'],
  ],
  CpuPercent: [[{ CpuPercent: 50 }, 'linux does not support CPU percent. Percent discarded.']],
  BlkioWeightDevice: [
    [{ BlkioWeightDevice: [{ Path: '/dev/loop0', Weight: 200 }] },
      /^(?:Your kernel does not support Block I\/O weight_device .* Weight-device discarded\.)?$/],
  ],
  BlkioDeviceReadBps: [
    [{ BlkioDeviceReadBps: [{ Path: '/dev/loop0', Rate: -5 }] },
      /cannot unmarshal number -5 into field BlkioDeviceReadBps\.Rate/],
  ],
  CpuShares: [
    [{ CpuShares: 1 }, /^(?:the minimum allowed cpu-shares is 2)?$/],
    [{ CpuShares: 262_145 }, /^(?:the maximum allowed cpu-shares is 262144)?$/],
  ],
  OomKillDisable: [[{ OomKillDisable: true }, /OOM killer is disabled|OomKillDisable is ignored/]],
  CpusetMems: [
    [{ CpusetMems: '77' }, /^Requested memory nodes are not available - requested 77, available: /],
  ],
  CpusetCpus: [
    [{ CpusetCpus: '7777' }, /^Requested CPUs are not available - requested 7777, available: 0/],
  ],
  Links: [
    [{ Links: ['nobody:x'] }, 'could not get container for nobody: No such container: nobody'],
    [{ Links: ['a:b:c'] }, 'bad format for links: a:b:c'],
  ],
  PortBindings: [
    [{ PortBindings: { '0/tcp': [{ HostPort: '' }] } }, 'invalid port specification: "0/tcp"'],
  ],
  LogConfig: [
    [{ LogConfig: { Type: 'nope', Config: {} } },
      'error looking up logging plugin nope: plugin "nope" not found'],
  ],
  Runtime: [[{ Runtime: 'nope' }, 'unknown or invalid runtime name: nope']],
  Isolation: [
    [{ Isolation: 'hyperv' }, 'Invalid isolation: "hyperv" - linux only supports \'default\''],
  ],
  VolumeDriver: [[{ VolumeDriver: 'nope', Binds: ['hc-nope:/v'] }, /plugin "nope" not found$/]],
  Tmpfs: [[{ Tmpfs: { '/t': 'colour=1' } }, 'invalid tmpfs option "colour"']],
  Mounts: [
    [{ Mounts: [{ Type: 'volume', Target: '/v', VolumeOptions: { Subpath: 'x' } }] },
      'invalid mount config for type "volume": must not set Subpath when using anonymous volumes'],
    [{ Mounts: [
      { Type: 'volume', Source: 'v', Target: '/v', VolumeOptions: { Subpath: '../x' } },
    ] },
      'invalid mount config for type "volume": subpath must be a relative path within the volume'],
  ],
};

/** Fields with suites of their own, or without any meaning to an engine on Linux. */
const elsewhere: ReadonlySet<string> = new Set<Field>([
  'PublishAllPorts', 'PortBindings', // ports.test.ts
  'RestartPolicy', 'AutoRemove', // daemon-life.test.ts
  'VolumesFrom', // volumes.test.ts
  'RestartOnUnhealthy', // live-edit.test.ts
  'CpuRealtimePeriod', 'CpuRealtimeRuntime', // realtime.test.ts
  'Annotations', 'ContainerIDFile', 'Cgroup', 'CpuCount', // kept, and shown
  'KernelMemory', 'KernelMemoryTCP', // Docker itself passes them over.
]);

test('no field is left out', async (t) => {
  const rows = runtimeRows.map(({ field }) => field);
  const covered = new Set([...rows, ...Object.keys(seen), ...Object.keys(told), ...elsewhere]);
  t.strictSame(Object.keys(HostConfig.properties).filter((field) => !covered.has(field)), []);
});

test('a host config by the API', {
  skip: process.getuid?.() === 0 ? false : 'a daemon needs root',
}, async (t) => {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  const dir = t.testdir({});
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'a'), 'bound\n');
  const filled = (host: HostConfig): HostConfig =>
    JSON.parse(JSON.stringify(host).replaceAll('{dir}', dir)) as HostConfig;

  for (const [field, rows] of Object.entries(seen)) {
    for (const { host, config = {}, script, prints } of rows) {
      const options = { command: ['sh', '-c', script], host: filled(host), config };
      const { text } = await output(daemon, options);
      const about = `${field} ${JSON.stringify(host)}`;
      if (typeof prints === 'string') t.equal(text.trimEnd(), prints, about);
      else t.match(text.trimEnd(), prints, about);
    }
  }
  for (const [field, rows] of Object.entries(told)) {
    for (const [host, words] of rows) {
      const body = { Image: 'tsdocker-demo', HostConfig: host };
      const { json } = await daemon.api.post('/v1.45/containers/create', body);
      const text = String(json.message ?? json.Warnings[0] ?? '');
      const about = `${field} ${JSON.stringify(host)}`;
      if (typeof words === 'string') t.equal(text, words, about);
      else t.match(text, words, about);
    }
  }
  await t.test('a subpath that is not there, or leads out, is a 404', async (t) => {
    for (const Subpath of ['nope', 'out']) {
      const mount = { Type: 'volume', Source: 'hc-vol', Target: '/v', VolumeOptions: { Subpath } };
      const id = await create(daemon, { command: ['true'], host: { Mounts: [mount] } });
      const { status, json } = await daemon.api.post(`/containers/${id}/start`);
      t.equal(status, 404);
      const path = `/volumes/hc-vol/_data/${Subpath}`;
      t.match(json.message, new RegExp(`^cannot access path \\S+${path}: .*no such file`));
    }
  });
  await t.test('a subpath is in its place in a copy from a container at rest', async (t) => {
    const VolumeOptions = { Subpath: 'sub/deep' };
    const mount = { Type: 'volume', Source: 'hc-vol', Target: '/v', VolumeOptions };
    const id = await create(daemon, { command: ['true'], host: { Mounts: [mount] } });
    const at = `/v1.45/containers/${id}/archive?path=`;
    t.equal((await daemon.api.get(`${at}/v/x`)).status, 200);
    t.equal((await daemon.api.get(`${at}/v/file`)).status, 404);
  });
});
