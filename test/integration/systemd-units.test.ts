/** The units of `systemd/`, as they are, under a systemd of the test's own. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync, statSync, statfsSync,
  symlinkSync, writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { test } from 'tap';
import type { ContainerInspectResponse } from '../../api-spec/index.js';
import { until } from '../support/containers.js';
import { importDemoImage } from '../support/demo-image.js';
import { engineApi } from '../support/engine-api.js';

const project = fileURLToPath(new URL('../../..', import.meta.url));
const units = ['tsdocker.service', 'tsdocker.socket'] as const;
const socketPath = '/run/tsdocker.sock';
const api = engineApi(socketPath);

/** Set by systemd.sh; where it is not, the units of this machine are no business of a test. */
const own = process.env['TSDOCKER_OWN_SYSTEMD'];
/** It is installed as users would: only where all that is written goes with the machine. */
const isThrownAway = statfsSync('/').type === 0x794c7630;
const skip = !(own !== undefined && isThrownAway) && 'no machine of its own: see test/kernels';

const systemctl = (...words: readonly string[]): string =>
  execFileSync('systemctl', words, { encoding: 'utf8' }).trim();

const show = (unit: string, property: string): string =>
  systemctl('show', '--value', '--property', property, unit);

test('systemd has nothing to say against the units', {
  skip: !existsSync('/usr/bin/systemd-analyze') && 'no systemd is installed',
}, (t) => {
  const paths = [...units, 'tsdocker-rootless.service'].map(
    (unit) => join(project, 'systemd', unit));
  const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...paths], {
    encoding: 'utf8',
  });
  const ofOurs = stderr.split('\n').filter((line) => line.includes('tsdocker'));
  t.same(ofOurs, []);
  t.equal(status, 0, stderr);
  t.end();
});

/** Installs the project as the units expect it, on a machine that is thrown away. */
function install(folder: string): void {
  symlinkSync(project, '/usr/lib/tsdocker');
  if (!existsSync('/usr/bin/node')) symlinkSync(process.execPath, '/usr/bin/node');
  if (!/^docker:/m.test(readFileSync('/etc/group', 'utf8'))) {
    appendFileSync('/etc/group', 'docker:x:12345:\n');
  }
  mkdirSync('/etc/tsdocker', { recursive: true });
  // Layers cannot be stacked on that machine's root, nor has it nftables.
  const settings = { 'data-root': '/dev/shm/tsdocker', bridge: 'none' };
  writeFileSync('/etc/tsdocker/daemon.json', JSON.stringify(settings));
  for (const unit of units) copyFileSync(join(project, 'systemd', unit), join(folder, unit));
  systemctl('daemon-reload');
}

test('the socket starts the service, and containers outlive it', { skip }, async (t) => {
  install(own ?? '');
  systemctl('start', 'tsdocker.socket');
  t.teardown(() => systemctl('stop', 'tsdocker.socket', 'tsdocker.service'));
  t.equal(statSync(socketPath).mode & 0o777, 0o660);
  t.equal(show('tsdocker.service', 'ActiveState'), 'inactive', 'nobody has asked for it');

  t.match((await api.get('/version')).json, { Os: 'linux' }, 'who connects first starts it');
  t.equal(show('tsdocker.service', 'ActiveState'), 'active');
  const hasDocker = spawnSync('docker', ['--version']).status === 0;
  if (hasDocker) {
    const docker = ['-H', `unix://${socketPath}`, 'version', '--format', '{{.Server.Os}}'];
    t.equal((await promisify(execFile)('docker', docker)).stdout.trim(), 'linux');
  }

  await importDemoImage(api);
  const body = {
    Image: 'tsdocker-demo', Cmd: ['sleep', '1000'], HostConfig: { NetworkMode: 'none' },
  };
  const { Id: id } = (await api.post('/containers/create', body)).json;
  t.equal((await api.post(`/containers/${id}/start`)).status, 204);
  t.teardown(() => api.delete(`/containers/${id}?force=1`));
  const running = async () =>
    ((await api.get(`/containers/${id}/json`)).json as ContainerInspectResponse).State;
  const { Pid: pid } = await running();
  const goesOn = () => existsSync(`/proc/${pid}/ns`);

  systemctl('stop', 'tsdocker.service');
  t.match(show('tsdocker.service', 'ActiveState'), /^inactive$/, 'it ends as it should');
  t.ok(goesOn(), 'the container runs on');
  t.match(await running(), { Status: 'running', Pid: pid }, 'and who asks next gets a daemon');

  const main = show('tsdocker.service', 'MainPID');
  process.kill(Number(main), 'SIGKILL');
  await until('systemd has started another', () =>
    Promise.resolve(!['0', main].includes(show('tsdocker.service', 'MainPID'))));
  t.match(await running(), { Status: 'running', Pid: pid }, 'also one that was killed');
});
