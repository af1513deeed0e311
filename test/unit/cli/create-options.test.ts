import { test } from 'tap';
import { containerFlags } from '../../../cli/create-options/flags.js';
import { planContainer } from '../../../cli/create-options/plan.js';
import { parseLine } from '../../../cli/flags.js';
import type { ContainerCreateBody } from '../../../api-spec/container.js';

const plan = (line: string, isDetached = false): ContainerCreateBody => {
  const { flags, operands } = parseLine(
    { flags: containerFlags, interspersed: false },
    line.split(' '),
  );
  return planContainer(flags, operands, { isDetached, consoleSize: undefined });
};
const host = (line: string): NonNullable<ContainerCreateBody['HostConfig']> =>
  plan(`${line} img`).HostConfig ?? {};

test('the words behind the image are the command', async (t) => {
  const body = plan('-i --entrypoint /e -w /w -u 1:2 img sh -c x');
  t.match(
    body,
    { Image: 'img', Cmd: ['sh', '-c', 'x'], Entrypoint: ['/e'], WorkingDir: '/w', User: '1:2' },
  );
  t.match(body, { AttachStdin: true, OpenStdin: true, StdinOnce: true, Tty: false });
});

test('a detached container has no attached streams', async (t) => {
  t.match(
    plan('-i img', true),
    { AttachStdin: false, AttachStdout: false, OpenStdin: true, StdinOnce: false },
  );
});

test('ports are read in all their forms', async (t) => {
  const body = plan(
    '-p 80 -p 127.0.0.1:8080:81/udp -p 9000-9001:90-91 -p [::1]:5:6 -p 7000-7009:7 --expose ' +
      '3-4 img',
  );
  t.same(body.HostConfig?.PortBindings, {
    '80/tcp': [{ HostIp: '', HostPort: '' }],
    '81/udp': [{ HostIp: '127.0.0.1', HostPort: '8080' }],
    '90/tcp': [{ HostIp: '', HostPort: '9000' }],
    '91/tcp': [{ HostIp: '', HostPort: '9001' }],
    '6/tcp': [{ HostIp: '::1', HostPort: '5' }],
    '7/tcp': [{ HostIp: '', HostPort: '7000-7009' }],
  });
  t.match(body.ExposedPorts, { '3/tcp': {}, '4/tcp': {}, '80/tcp': {} });
  for (const wrong of ['abc', '1:2:3:4', '80/foo', '70000', '5-4', '1-2:1-3']) {
    t.throws(() => plan(`-p ${wrong} img`), { name: 'CommandError' }, wrong);
  }
});

test('volumes, mounts and tmpfs go where the API wants them', async (t) => {
  const body = plan('-v /a:/b:ro -v named:/n -v /anonymous --tmpfs /t:size=1m img');
  t.same(body.HostConfig?.Binds, ['/a:/b:ro', 'named:/n']);
  t.same(body.Volumes, { '/anonymous': {} });
  t.same(body.HostConfig?.Tmpfs, { '/t': 'size=1m' });
  t.match(host('-v ./x:/y').Binds?.[0], new RegExp(`^${process.cwd()}/x:/y$`));
  t.same(host('--mount type=bind,src=/s,dst=/d,readonly,bind-propagation=rslave').Mounts, [
    {
      Type: 'bind',
      Source: '/s',
      Target: '/d',
      ReadOnly: true,
      BindOptions: { Propagation: 'rslave' },
    },
  ]);
  t.same(host('--mount target=/d,volume-nocopy,volume-opt=a=b,tmpfs-size=1k').Mounts, [
    {
      Type: 'volume',
      Target: '/d',
      VolumeOptions: { NoCopy: true, DriverConfig: { Name: '', Options: { a: 'b' } } },
      TmpfsOptions: { SizeBytes: 1024 },
    },
  ]);
  t.throws(() => host('--mount type=bind,src=/s'), { message: /target is required/ });
  t.throws(() => host('--mount bogus=1,target=/x'), { message: /unexpected key 'bogus'/ });
});

test('limits are in the units of the API', async (t) => {
  const limits = '-m 64m --cpus 1.5 --pids-limit 9 --shm-size 1k --ulimit nofile=1:2';
  t.match(host(`${limits} --device-read-bps /d:1mb`), {
    Memory: 64 * 1024 ** 2,
    NanoCpus: 1.5e9,
    PidsLimit: 9,
    ShmSize: 1024,
    Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }],
    BlkioDeviceReadBps: [{ Path: '/d', Rate: 1024 ** 2 }],
  });
});

test('networks carry the settings of their flags', async (t) => {
  const body = plan('--network n1 --network name=n2,alias=x --ip 10.0.0.9 --network-alias a img');
  t.equal(body.HostConfig?.NetworkMode, 'n1');
  t.same(body.NetworkingConfig?.EndpointsConfig, {
    n1: { Aliases: ['a'], IPAMConfig: { IPv4Address: '10.0.0.9' } },
    n2: { Aliases: ['x'] },
  });
  t.equal(plan('--network none img').NetworkingConfig, undefined);
});

test('options that contradict each other are refused', async (t) => {
  t.throws(
    () => host('--rm --restart always'),
    { message: /cannot specify both --restart and --rm/ },
  );
  t.throws(() => host('--health-cmd x --no-healthcheck'), { message: /conflicts with --health/ });
  t.throws(() => host('--restart on-failure:x'), { message: /must be an integer/ });
  t.same(
    host('--restart on-failure:3').RestartPolicy,
    { Name: 'on-failure', MaximumRetryCount: 3 },
  );
});

test('open system paths take both lists away', async (t) => {
  t.match(host('--security-opt systempaths=unconfined --security-opt no-new-privileges'), {
    MaskedPaths: [],
    ReadonlyPaths: [],
    SecurityOpt: ['no-new-privileges'],
  });
});
