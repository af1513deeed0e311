/** Real time for containers: a budget of a group's where the kernel has such, refused elsewhere. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { test } from 'tap';
import { create, output, run, stateOf } from '../support/containers.js';
import { startDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';

const isRoot = process.getuid?.() === 0;
const folder = '/sys/fs/cgroup/cpu';
const has = existsSync(`${folder}/cpu.rt_runtime_us`);
const own = `cat ${folder}/cpu.rt_period_us ${folder}/cpu.rt_runtime_us`;
const plain = { NetworkMode: 'none' };
const wish = { ...plain, CpuRealtimePeriod: 1_000_000, CpuRealtimeRuntime: 1000 };

test('containers share the budget that the daemon was given', {
  skip: isRoot ? (has ? false : 'the kernel has no such budgets') : 'a daemon needs root',
}, async (t) => {
  const daemon = await startDaemon(t, {
    isBridgeless: true, flags: ['--cpu-rt-runtime', '20000', '--cpu-rt-period', '1000000'],
  });
  await importDemoImage(daemon.api);
  const command = ['sh', '-c', own];
  const seen = await output(daemon, { command, host: wish });
  t.match(seen, { code: 0, text: '1000000\n1000\n' });
  // The kernel makes a process one of real time only where its group has some.
  const isLetIn = async (host: object): Promise<boolean> => {
    const { Pid } = await stateOf(daemon, await run(daemon, { command: ['sleep', '600'], host }));
    const change = promisify(execFile)('chrt', ['--fifo', '--pid', '5', String(Pid)]);
    return change.then(() => true, () => false);
  };
  t.equal(await isLetIn(wish), true);
  t.equal(await isLetIn(plain), false, 'without a share of it: none');
  const id = await create(daemon, { command, host: { ...wish, CpuRealtimeRuntime: 30_000 } });
  const { status, json } = await daemon.api.post(`/containers/${id}/start`);
  t.equal(status, 400);
  t.match(json.message, new RegExp('^failed to create task for container: .*unable to apply ' +
    'cgroup configuration: failed to write "30000": write \\S+rt_runtime_us: invalid argument'));
});

test('without a budget there is none to be had', {
  skip: isRoot ? false : 'a daemon needs root',
}, async (t) => {
  const daemon = await startDaemon(t, { isBridgeless: true });
  await importDemoImage(daemon.api);
  const body = { Image: 'tsdocker-demo', Cmd: ['true'], HostConfig: wish };
  const { status, json } = await daemon.api.post('/containers/create', body);
  if (!has) {
    t.equal(`${status} ${json.message}`, '400 kernel does not support CPU real-time scheduler');
    return;
  }
  t.equal(status, 201);
  const started = await daemon.api.post(`/containers/${String(json.Id)}/start`);
  t.equal(started.status, 400);
  t.match(started.json.message, /failed to write "1000": write \S+rt_runtime_us: invalid argument/);
});
