/** Devices by the Container Device Interface, described in files that the test writes. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tap, { type Test, test } from 'tap';
import { create, output, run } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';

tap.setTimeout(120_000);

const needsRoot = { skip: process.getuid?.() === 0 ? false : 'devices need root' };

const yaml = `---
cdiVersion: "0.6.0"
kind: vendor.com/device
containerEdits:
  env:
  - SHARED=once
  mounts:
  - hostPath: {dir}/driver
    containerPath: /usr/lib/driver
    options: [ro, nosuid, rbind]
devices:
- name: first
  containerEdits:
    env: [FIRST=1, "PATH=/driver:/bin"]
    additionalGids: [4321]
    deviceNodes:
    - path: /dev/vendor0
      hostPath: /dev/null
      permissions: rw
- name: second
  containerEdits:
    deviceNodes:
    - {path: /dev/vendor1, hostPath: /dev/kmsg, fileMode: 0600, uid: 5, gid: 6}
`;
const other = {
  cdiVersion: '0.6.0', kind: 'other.com/net', devices: [
    { name: 'tuned', containerEdits: { intelRdt: { closID: 'x' } } },
    { name: 'gone', containerEdits: { deviceNodes: [{ path: '/dev/is-not-there' }] } },
  ],
};

/** A daemon that looks for devices in a folder of the test's. */
async function begin(t: Test): Promise<{ readonly daemon: TestDaemon; readonly dir: string }> {
  const dir = t.testdir({ cdi: {}, driver: { lib: 'bound\n' } });
  writeFileSync(join(dir, 'cdi/vendor.yaml'), yaml.replace('{dir}', dir));
  writeFileSync(join(dir, 'cdi/other.json'), JSON.stringify(other));
  writeFileSync(join(dir, 'cdi/broken.json'), '{');
  const daemon = await startDaemon(t, { flags: ['--cdi-spec-dir', join(dir, 'cdi')] });
  await importDemoImage(daemon.api);
  return { daemon, dir };
}

const devices = (...DeviceIDs: readonly string[]) => ({
  DeviceRequests: [{ Driver: 'cdi', DeviceIDs }],
});

test('a device brings its node, variables, mounts and groups', needsRoot, async (t) => {
  const { daemon } = await begin(t);
  const script = 'stat -c "%t:%T %a %u:%g" /dev/vendor0 /dev/vendor1; echo x > /dev/vendor0; ' +
    'echo $SHARED $FIRST $PATH; id -G; cat /usr/lib/driver/lib; ' +
    'grep /usr/lib/driver /proc/self/mounts | cut -d" " -f4 | grep -o "ro,nosuid"; ' +
    '(exec 3> /dev/vendor1) 2>/dev/null && echo opened';
  const host = devices('vendor.com/device=first', 'vendor.com/device=second');
  const seen = await output(daemon, { command: ['/bin/sh', '-c', script], host });
  t.strictSame(seen.text.trim().split('\n'), [
    '1:3 666 0:0', '1:b 600 5:6', 'once 1 /driver:/bin', '0 4321', 'bound', 'ro,nosuid', 'opened',
  ]);
  const id = await run(daemon, {
    command: ['sleep', '600'], host: devices('vendor.com/device=first'),
  });
  const { HostConfig: shown } = (await daemon.api.get(`/containers/${id}/json`)).json;
  t.match(shown.DeviceRequests, [{ Driver: 'cdi', DeviceIDs: ['vendor.com/device=first'] }]);
});

test('what cannot be had is told in Docker\'s words', needsRoot, async (t) => {
  const { daemon, dir } = await begin(t);
  const refusal = async (host: object): Promise<string> => {
    const id = await create(daemon, { command: ['true'], host });
    const { status, json } = await daemon.api.post(`/containers/${id}/start`);
    return `${status} ${json.message}`;
  };
  const failed = 'CDI device injection failed:';
  t.equal(
    await refusal(devices('vendor.com/device=nope', 'vendor.com/device=first', 'bad')),
    `500 ${failed} unresolvable CDI devices vendor.com/device=nope, bad`,
  );
  t.equal(
    await refusal(devices('other.com/net=gone')),
    `500 ${failed} failed to stat CDI host device "/dev/is-not-there": no such file or directory`,
  );
  t.equal(
    await refusal(devices('other.com/net=tuned')),
    `501 ${failed} intelRdt of other.com/net=tuned are not supported`,
  );
  const [request] = devices('vendor.com/device=first').DeviceRequests;
  t.equal(
    await refusal({ DeviceRequests: [{ ...request, Count: 1 }] }),
    '400 unexpected count in CDI device request',
  );
  t.match(daemon.log(), /CDI file .*broken\.json: /);

  mkdirSync(join(dir, 'cdi'), { recursive: true });
  writeFileSync(join(dir, 'cdi/twice.yaml'), yaml.replace('{dir}', dir));
  t.match(
    await refusal(devices('vendor.com/device=first')), /unresolvable CDI devices/, 'no guess');
});

test('info tells what is there', needsRoot, async (t) => {
  const { daemon, dir } = await begin(t);
  const { json: info } = await daemon.api.get('/info');
  t.strictSame(info.CDISpecDirs, [join(dir, 'cdi')]);
  t.strictSame(info.DiscoveredDevices, [
    'other.com/net=gone', 'other.com/net=tuned', 'vendor.com/device=first',
    'vendor.com/device=second',
  ].map((ID) => ({ Source: 'cdi', ID })));
});

test('without folders there is no such driver', needsRoot, async (t) => {
  const daemon = await startDaemon(t, { daemonJson: { features: { cdi: false } } });
  await importDemoImage(daemon.api);
  const body = { Image: 'tsdocker-demo', HostConfig: devices('vendor.com/device=first') };
  const refused = await daemon.api.post('/containers/create', body);
  const message = 'could not select device driver "cdi" with capabilities: []';
  t.match(refused, { status: 400, json: { message } });
  t.strictSame((await daemon.api.get('/info')).json.CDISpecDirs, []);
});
