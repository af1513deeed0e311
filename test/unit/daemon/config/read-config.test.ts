import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import type { DaemonConfig } from '../../../../daemon/config/config.js';
import { parseFlags } from '../../../../daemon/config/flags.js';
import { readConfig } from '../../../../daemon/config/read-config.js';

/** The configuration of a command line beside a `daemon.json` with the given contents. */
function configured(directory: string, json: unknown, ...argv: string[]): DaemonConfig {
  const path = join(directory, 'daemon.json');
  writeFileSync(path, typeof json === 'string' ? json : JSON.stringify(json));
  return readConfig(parseFlags(['--config-file', path, ...argv]));
}

test('without any flag the paths are tsdocker’s own', async (t) => {
  const config = configured(t.testdir(), '');
  t.same(config.hosts, [{ kind: 'unix', path: '/var/run/tsdocker.sock' }]);
  t.equal(config.dataRoot, '/var/lib/tsdocker');
  t.equal(config.execRoot, '/run/tsdocker');
  t.equal(config.containers.logDriver, 'json-file');
});

test('flags are understood in all four spellings', async (t) => {
  const { settings } = parseFlags([
    '-H', 'fd://', '-Hunix:///a', '--host=unix:///b', '--mtu', '1400', '-D',
  ]);
  t.same(settings.hosts, ['fd://', 'unix:///a', 'unix:///b']);
  t.equal(settings.mtu, 1400);
  t.equal(settings.debug, true);
  t.equal(parseFlags(['--debug=false']).settings.debug, false);
});

test('a wrong flag is named with the reason', async (t) => {
  const wrong: readonly (readonly [string, string])[] = [
    ['--foo', 'unknown flag: --foo'],
    ['-Z', "unknown shorthand flag: 'Z' in -Z"],
    ['--mtu', 'flag needs an argument: --mtu'],
    [
      '--mtu=abc',
      'invalid argument "abc" for "--mtu" flag: strconv.ParseInt: parsing "abc": invalid syntax',
    ],
    ['--dns=x', 'invalid argument "x" for "--dns" flag: invalid IP address: x'],
    ['--label=x', 'invalid argument "x" for "--label" flag: bad attribute format: x'],
    [
      '--default-ulimit=x',
      'invalid argument "x" for "--default-ulimit" flag: invalid ulimit argument: x',
    ],
    [
      '--default-ulimit=nofile=9:5',
      'invalid argument "nofile=9:5" for "--default-ulimit" flag: ' +
        'ulimit soft limit must be less than or equal to hard limit: 9 > 5',
    ],
    [
      '--default-address-pool=x',
      'invalid argument "x" for "--default-address-pool" flag: ' +
        "invalid field 'x' must be a key=value pair",
    ],
    [
      '--registry-mirror=ftp://x',
      'invalid argument "ftp://x" for "--registry-mirror" flag: ' +
        'invalid mirror: unsupported scheme "ftp" in "ftp://x"',
    ],
    ['extra', '"tsdockerd" accepts no argument(s).'],
  ];
  for (const [argument, message] of wrong) {
    t.throws(() => parseFlags([argument]), { name: 'ConfigError', message }, argument);
  }
});

test('a value that cannot be is refused', async (t) => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [['--log-level=bad'], /^invalid logging level: bad$/],
    [['--mtu=-5'], /^invalid default MTU: -5$/],
    [['-H', 'tcp:/x'], /unix:\/\/tcp:\/x.*must be absolute/],
    [['-H', 'tcp://1.2.3.4/x'], /should not contain a path element/],
    [['-H', 'http://x'], /unsupported proto http/],
    [['-H', `unix:///${'x'.repeat(120)}`], /longer than 107 bytes/],
    [['-H', 'tcp://127.0.0.1:2375'], /only with mutual TLS/],
    [['--tls'], /--tlsverify/],
    [['--tlsverify'], /needs --tlscacert, --tlscert and --tlskey/],
    [['--bip', '10.1.1.1'], /bip: invalid CIDR address: 10\.1\.1\.1/],
    [['--bip', '10.1.1.1/24', '--bridge', 'none'], /no meaning without a default bridge/],
    [['--exec-opt', 'native.cgroupdriver=x'], /native\.cgroupdriver: x/],
    [['--exec-opt', 'native.umask=normal'], /unknown exec-opt: native\.umask=normal/],
    [['--storage-opt', 'overlay2.size=1G'], /^storage-opts is not supported$/],
    [['--storage-driver', 'aufs'], /unknown storage driver .*: aufs/],
    [['--userns-remap', 'no-such-user-here'], /no such user: "no-such-user-here"/],
    [['--insecure-registry', 'http://a/b'], /insecure registry/],
  ];
  for (const [argv, message] of wrong) {
    t.throws(
      () => configured(t.testdir(), '', ...argv),
      { name: 'ConfigError', message },
      argv.join(' '),
    );
  }
});

test('a file with unknown keys, wrong types or no JSON says so with its path', async (t) => {
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    [
      { foo: 1, bar: 2 },
      /with file .*daemon\.json: the following .* don't match any configuration option: foo, bar$/,
    ],
    [{ mtu: '1400' }, /mtu: cannot take string as int/],
    [{ hosts: 'x' }, /hosts: cannot take string as list/],
    [{ 'log-opts': { 'max-file': 5 } }, /log-opts\.max-file: cannot take number as string/],
    [
      { runtimes: { x: { path: '/x', runtimeType: 'y' } } },
      /runtimes\.x: runtimeType is not supported/,
    ],
    ['{bad', /with file/],
    [[], /must hold one JSON object/],
  ];
  for (const [json, message] of wrong) {
    t.throws(
      () => configured(t.testdir(), json),
      { name: 'ConfigError', message },
      JSON.stringify(json),
    );
  }
});

test('the same option as a flag and in the file is refused in dockerd’s words', async (t) => {
  const json = { 'storage-driver': 'overlay2', 'labels': ['a=b'] };
  t.throws(() => configured(t.testdir(), json, '--storage-driver', 'vfs', '--label', 'c=d'), {
    message: new RegExp(
      'the following directives are specified both as a flag and in the configuration file: ' +
        'labels: \\(from flag: \\[c=d\\], from file: \\[a=b\\]\\), ' +
        'storage-driver: \\(from flag: vfs, from file: overlay2\\)$',
    ),
  });
});

test('flags and file complement one another', async (t) => {
  const config = configured(
    t.testdir(),
    {
      'default-ulimits': { nofile: { Name: 'nofile', Soft: 5, Hard: 10 } },
      'default-address-pools': [{ base: '10.0.0.0/8', size: 24 }],
      'default-shm-size': '128M',
      'log-opts': { 'max-size': '1m' },
      'exec-opts': ['native.cgroupdriver=systemd'],
      'features': { 'cdi': true, 'containerd-snapshotter': true },
    },
    '--mtu', '1400', '--registry-mirror', 'http://mirror.example',
  );
  t.same(config.containers.ulimits, { nofile: { Name: 'nofile', Soft: 5, Hard: 10 } });
  t.same(config.network.addressPools, [{ base: '10.0.0.0/8', size: 24 }]);
  t.equal(config.containers.shmSizeBytes, 128 * 1024 * 1024);
  t.equal(config.network.mtu, 1400);
  t.equal(config.cgroupDriver, 'systemd');
  t.same(config.warnings, ['features.containerd-snapshotter has no effect and is ignored']);
  t.same(config.registryMirrors, ['http://mirror.example/']);
});

test('known options that have no effect are accepted with a warning', async (t) => {
  const config = configured(
    t.testdir(),
    { 'userland-proxy': false, 'live-restore': false },
    '--ip6tables',
  );
  t.match(config.warnings, [
    /ip6tables has no effect/,
    /userland-proxy has no effect/,
    /live-restore=false/,
  ]);
});

test('a config file that was named must exist, the default one need not', async (t) => {
  t.throws(() => readConfig(parseFlags(['--config-file', join(t.testdir(), 'none')])), {
    message: /open .*none: no such file or directory/,
  });
});

test('policies of the build cache are read in all their forms', async (t) => {
  const read = (gc: object) => configured(t.testdir(), { builder: { gc } }).buildCachePolicies;
  const policy = [
    { keepStorage: '10GB', filter: ['unused-for=2200h', 'type=regular', 'type=source.local'] },
    { reservedSpace: '1kb', maxUsedSpace: '2kb', minFreeSpace: '3kb', all: true },
    { filter: { until: { '24h': true }, 'label!': { x: true } } },
  ];
  const none = { reserved: 0, maxUsed: 0, minFree: 0 };
  t.same(read({ enabled: true, policy }), [
    {
      all: false, keep: { ...none, reserved: 10 * 2 ** 30 },
      filters: { 'unused-for': ['2200h'], type: ['regular', 'source.local'] },
    },
    { all: true, keep: { reserved: 1024, maxUsed: 2048, minFree: 3072 }, filters: {} },
    { all: false, keep: none, filters: { until: ['24h'], 'label!': ['x'] } },
  ]);
  t.same(read({ enabled: false, policy }), [], 'nothing is collected');
  t.same(read({}), []);
  const refused = (rule: unknown, message: RegExp): void =>
    void t.throws(() => read({ policy: [rule] }), { message });
  refused({ keepStorage: 'much' }, /invalid size: "much"/);
  refused({ filter: ['nonsense=1'] }, /invalid filter 'nonsense'/);
  refused({ filter: ['type'] }, /expected name=value/);
  refused({ filter: ['until=soon'] }, /invalid duration "soon"/);
  refused('x', /builder.gc.policy must be an object/);
  t.throws(() => read({ policy: {} }), { message: /builder.gc.policy must be a list/ });
});
