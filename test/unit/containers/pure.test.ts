import { test } from 'tap';
import { isInheritedMode } from '../../../daemon/containers/inherited-mode.js';
import { parseDetachKeys } from '../../../daemon/containers/detach-keys.js';
import { mergeImageConfig } from '../../../daemon/containers/merge-image.js';
import { generateName } from '../../../daemon/containers/names.js';
import { checkPlatform } from '../../../daemon/containers/platform.js';
import {
  nextDelayMs,
  wantsRestart,
  wantsStartWithDaemon,
} from '../../../daemon/containers/restart-policy.js';
import { parseKillSignal, parseSignal } from '../../../daemon/containers/signals.js';
import { humanDuration, statusText } from '../../../daemon/containers/status-text.js';
import { frame } from '../../../daemon/containers/stdcopy.js';
import { checkConfig, checkName } from '../../../daemon/containers/validate.js';

test('volumes of others are taken without copying or propagation of their own', (t) => {
  for (const mode of ['', 'ro', 'rw', 'z', 'rw,Z', 'cached', 'ro,z,delegated']) {
    t.ok(isInheritedMode(mode), mode);
  }
  for (const mode of ['foo', 'nocopy', 'rshared', 'rw,ro', 'ro,ro', 'ro,', 'ro;z']) {
    t.notOk(isInheritedMode(mode), mode);
  }
  t.end();
});

test('durations are told in Docker’s rough words', (t) => {
  const cases: readonly (readonly [number, string])[] = [
    [0, 'Less than a second'],
    [999, 'Less than a second'],
    [1_000, '1 second'],
    [59_000, '59 seconds'],
    [60_000, 'About a minute'],
    [119_000, 'About a minute'],
    [120_000, '2 minutes'],
    [59 * 60_000, '59 minutes'],
    [3_600_000, 'About an hour'],
    [5 * 3_600_000, '5 hours'],
    [47 * 3_600_000, '47 hours'],
    [48 * 3_600_000, '2 days'],
    [13 * 86_400_000, '13 days'],
    [14 * 86_400_000, '2 weeks'],
    [61 * 86_400_000, '2 months'],
    [800 * 86_400_000, '2 years'],
  ];
  for (const [ms, words] of cases) t.equal(humanDuration(ms), words);
  t.end();
});

test('a state is told as docker ps does', (t) => {
  const now = 100_000;
  t.equal(statusText({ status: 'created' }, now), 'Created');
  t.equal(statusText({ status: 'running', pid: 1, startedAtMs: 90_000 }, now), 'Up 10 seconds');
  t.equal(
    statusText({ status: 'paused', pid: 1, startedAtMs: 90_000 }, now),
    'Up 10 seconds (Paused)',
  );
  t.equal(
    statusText(
      {
        status: 'exited',
        startedAtMs: 1,
        finishedAtMs: 97_000,
        exitCode: 137,
        oomKilled: false,
        error: '',
      },
      now,
    ),
    'Exited (137) 3 seconds ago',
  );
  t.end();
});

test('signals by name and number; what is none is refused in Docker’s words', (t) => {
  t.equal(parseSignal('TERM'), 15);
  t.equal(parseSignal('sigkill'), 9);
  t.equal(parseSignal('9'), 9);
  t.equal(parseSignal('RTMIN+3'), 37);
  t.equal(parseSignal('SIGRTMAX-1'), 63);
  for (const wrong of ['FOO', '0', '65', 'RTMIN+99', '-1', '']) {
    t.throws(() => parseSignal(wrong), {
      kind: 'InvalidParameter',
      message: `invalid signal: ${wrong}`,
    });
  }
  t.end();
});

test('a number that is no signal is one that cannot be sent', (t) => {
  for (const wrong of ['-1', '65', '999']) {
    const message = `the linux daemon does not support signal ${wrong}`;
    t.throws(() => parseKillSignal(wrong), { kind: 'InvalidParameter', message });
  }
  t.throws(() => parseKillSignal('0'), { message: 'invalid signal: 0' });
  t.equal(parseKillSignal('64'), 64);
  t.end();
});

test('detach keys become the bytes that a terminal sends', (t) => {
  t.same([...parseDetachKeys(undefined)], [16, 17]);
  t.same([...parseDetachKeys('')], []);
  t.same([...parseDetachKeys('ctrl-a,x,ctrl-[')], [1, 120, 27]);
  t.throws(() => parseDetachKeys('ctrl-1'), { message: 'Invalid detach keys (ctrl-1) provided' });
  t.end();
});

test('an image’s command is taken unless the user has an entrypoint or command of their own', (t) => {
  const image = { Entrypoint: ['/entry'], Cmd: ['default'] };
  const merged = (user: Parameters<typeof mergeImageConfig>[0]) => {
    const { Entrypoint, Cmd } = mergeImageConfig(user, image);
    return [Entrypoint, Cmd];
  };
  t.same(merged({}), [['/entry'], ['default']]);
  t.same(merged({ Cmd: ['own'] }), [['/entry'], ['own']]);
  t.same(merged({ Entrypoint: ['/own'] }), [['/own'], []]);
  t.same(merged({ Entrypoint: [''], Cmd: ['own'] }), [[], ['own']]);
  t.throws(() => mergeImageConfig({}, {}), { message: 'no command specified' });
  t.throws(() => mergeImageConfig({ Entrypoint: [''] }, image), {
    message: 'no command specified',
  });
  t.end();
});

test('environment, labels and ports are joined, the user’s value winning', (t) => {
  const { Env, Labels, ExposedPorts, WorkingDir } = mergeImageConfig(
    { Cmd: ['x'], Env: ['A=1'], Labels: { a: 'user' }, WorkingDir: '' },
    {
      Env: ['A=2', 'B=2'],
      Labels: { a: 'image', b: 'image' },
      ExposedPorts: { '80/tcp': {} },
      WorkingDir: '/srv',
    },
  );
  t.same(Env, ['A=1', 'B=2']);
  t.same(Labels, { a: 'user', b: 'image' });
  t.same(ExposedPorts, { '80/tcp': {} });
  t.equal(WorkingDir, '/srv');
  t.end();
});

test('restart policies: when, and after how long', (t) => {
  const ending = { exitCode: 1, ranMs: 50, stoppedByUser: false, restartCount: 0 };
  t.notOk(wantsRestart(undefined, ending));
  t.notOk(wantsRestart({ Name: 'no' }, ending));
  t.ok(wantsRestart({ Name: 'always' }, { ...ending, exitCode: 0 }));
  t.notOk(wantsRestart({ Name: 'always' }, { ...ending, stoppedByUser: true }));
  t.notOk(wantsRestart({ Name: 'on-failure' }, { ...ending, exitCode: 0 }));
  t.ok(wantsRestart({ Name: 'on-failure', MaximumRetryCount: 2 }, { ...ending, restartCount: 1 }));
  t.notOk(
    wantsRestart({ Name: 'on-failure', MaximumRetryCount: 2 }, { ...ending, restartCount: 2 }),
  );
  t.equal(nextDelayMs(0, 5), 100);
  t.equal(nextDelayMs(100, 5), 200);
  t.equal(nextDelayMs(51_200, 5), 60_000);
  t.equal(nextDelayMs(51_200, 10_000), 100);
  t.end();
});

test('with the daemon start: always, and unless-stopped unless somebody stopped it', (t) => {
  const at = (stoppedByUser: boolean) => ({ stoppedByUser });
  t.ok(wantsStartWithDaemon({ Name: 'always' }, at(true)));
  t.ok(wantsStartWithDaemon({ Name: 'unless-stopped' }, at(false)));
  t.notOk(wantsStartWithDaemon({ Name: 'unless-stopped' }, at(true)));
  t.notOk(wantsStartWithDaemon({ Name: 'on-failure' }, at(false)), 'unless it failed meanwhile');
  t.notOk(wantsStartWithDaemon({ Name: 'no' }, at(false)));
  t.end();
});

test('a made-up name fits Docker’s pattern and is never one that is taken', (t) => {
  const taken = new Set<string>();
  for (let count = 0; count < 500; count += 1) {
    const name = generateName((candidate) => taken.has(candidate));
    t.match(name, /^[a-z]+_[a-z]+\d*$/);
    t.notOk(taken.has(name));
    taken.add(name);
  }
  t.doesNotThrow(() => checkName(generateName(() => false)));
  t.end();
});

test('what no container may be called or ask for', (t) => {
  for (const name of ['a/b', '-x', 'x', '', 'ä1']) {
    t.throws(() => checkName(name), { message: /Invalid container name/ }, name);
  }
  const wrong: readonly (readonly [Parameters<typeof checkConfig>, RegExp])[] = [
    [[{ WorkingDir: 'rel' }, {}], /needs to be an absolute path/],
    [[{ Env: ['=x'] }, {}], /invalid environment variable: =x/],
    [[{ Env: [`A=${'x'.repeat(200_000)}`] }, {}], /environment is too large/],
    [[{ Labels: { a: 'x'.repeat(2_000_000) } }, {}], /labels are too large/],
    [[{ StopSignal: 'FOO' }, {}], /invalid signal: FOO/],
    [[{}, { RestartPolicy: { Name: 'foo' } }], /unknown policy 'foo'/],
    [[{}, { RestartPolicy: { Name: 'always', MaximumRetryCount: 3 } }], /only be used with/],
    [[{}, { AutoRemove: true, RestartPolicy: { Name: 'always' } }], /can't create 'AutoRemove'/],
    [[{ Healthcheck: { Interval: -1 } }, {}], /Interval in Healthcheck/],
  ];
  for (const [args, message] of wrong) {
    t.throws(() => checkConfig(...args), { kind: 'InvalidParameter', message });
  }
  t.end();
});

test('an image of another platform is "not found", so that clients pull the right one', (t) => {
  const image = { id: 'sha256:1', config: {}, layers: [], os: 'linux', architecture: 'amd64' };
  t.doesNotThrow(() => checkPlatform(image, 'x', undefined));
  t.doesNotThrow(() => checkPlatform(image, 'x', 'linux/x86_64'));
  t.throws(() => checkPlatform(image, 'x', 'linux/arm64/v8'), {
    kind: 'NotFound',
    message: /was found but does not match the specified platform/,
  });
  const message = '"linux/a/b/c": cannot parse platform specifier: invalid argument';
  t.throws(() => checkPlatform(image, 'x', 'linux/a/b/c'), { message });
  t.end();
});

test('a stdcopy header is stream and length', (t) => {
  t.same([...frame('stderr', 0x010203)], [2, 0, 0, 0, 0, 1, 2, 3]);
  t.end();
});
