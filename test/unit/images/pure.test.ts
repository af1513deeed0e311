import { test } from 'tap';
import { healthOfText } from '../../../daemon/build/index.js';
import { applyChanges } from '../../../daemon/images/config-changes.js';
import { createExclusive, createSlots } from '../../../daemon/images/exclusive.js';
import { labelsMatch, parseTimeMs, referenceMatches } from '../../../daemon/images/filters.js';
import { parseImageConfig } from '../../../daemon/images/image-config.js';
import { chainIds, distinctKeys, layerKeys } from '../../../daemon/images/layer-keys.js';
import { humanSize, Progress, progressText } from '../../../daemon/images/progress.js';
import { parseReference } from '../../../daemon/images/reference.js';
import { digest } from '../../support/image-builder.js';

test('changes', async (t) => {
  await t.test('are made in order, each like its Dockerfile instruction', (t) => {
    const changes = [
      'CMD ["a", "b"]',
      'ENTRYPOINT run it',
      'ENV a=1 b="two words" c=three\\ words',
      'env old style value',
      'ENV a=2',
      'EXPOSE 80 53/udp',
      'LABEL x=y "quoted key"=z',
      'VOLUME ["/data"]',
      'WORKDIR /a',
      'WORKDIR b',
      'USER me',
      'STOPSIGNAL SIGINT',
      'ONBUILD RUN x',
      'healthcheck --interval=5s CMD true',
    ];
    t.same(applyChanges({}, changes, healthOfText), {
      Cmd: ['a', 'b'],
      Entrypoint: ['/bin/sh', '-c', 'run it'],
      Env: ['b=two words', 'c=three words', 'old=style value', 'a=2'],
      ExposedPorts: { '80/tcp': {}, '53/udp': {} },
      Labels: { x: 'y', 'quoted key': 'z' },
      Volumes: { '/data': {} },
      WorkingDir: '/a/b',
      User: 'me',
      StopSignal: 'SIGINT',
      OnBuild: ['RUN x'],
      Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 5e9 },
    });
    t.end();
  });
  await t.test('that are none are refused', (t) => {
    const refused = (line: string, message: string): void => {
      t.throws(() => applyChanges({}, [line], healthOfText), { message });
    };
    refused('RUN x', 'RUN is not a valid change command');
    refused('ENV a', 'ENV must have two arguments');
    refused('EXPOSE x', 'invalid containerPort: x');
    refused('USER', 'USER requires at least one argument');
    t.end();
  });
});

test('filters', (t) => {
  t.ok(labelsMatch({ a: '1', b: '2' }, { label: ['a', 'b=2'] }));
  t.notOk(labelsMatch({ a: '1' }, { label: ['a', 'b'] }));
  t.notOk(labelsMatch({ a: '1' }, { 'label!': ['a=1'] }));
  t.ok(labelsMatch({ a: '1' }, { 'label!': ['a=1', 'b'] }), 'only who has all is spared');
  t.notOk(labelsMatch({}, { label: ['constructor'] }));
  t.equal(parseTimeMs('1h30m', 10_000_000), 10_000_000 - 5_400_000);
  t.equal(parseTimeMs('1500000000', 0), 1_500_000_000_000);
  t.equal(parseTimeMs('2020-01-02T03:04:05Z', 0), Date.UTC(2020, 0, 2, 3, 4, 5));
  t.throws(() => parseTimeMs('x', 0), {
    message: 'failed to parse value as time or duration: "x"',
  });
  const reference = parseReference('me/app:1.2');
  for (const pattern of ['me/app', 'me/a*', 'me/app:1.?', '*/*:[0-9]*']) {
    t.ok(referenceMatches(pattern, reference), pattern);
  }
  for (const pattern of ['*', 'me', 'me/app:1', 'm+/app']) {
    t.notOk(referenceMatches(pattern, reference), pattern);
  }
  t.throws(() => referenceMatches('[z-a]', reference), { message: 'syntax error in pattern' });
  t.end();
});

test('an image config is checked field by field', (t) => {
  const good = { architecture: 'amd64', os: 'linux', rootfs: { diff_ids: [] } };
  t.same(parseImageConfig(JSON.stringify({ ...good, config: null, history: null })).config, {});
  t.same(parseImageConfig(JSON.stringify({ ...good, config: { Cmd: null, X: 1 } })).config, {});
  for (const config of [
    { Cmd: 'x' },
    { Labels: { a: 1 } },
    { Env: [1] },
    { User: 1 },
    { Volumes: [] },
  ]) {
    const [field] = Object.keys(config);
    t.throws(() => parseImageConfig(JSON.stringify({ ...good, config })), {
      message: `invalid image configuration: config.${field} is missing or of the wrong type`,
    });
  }
  t.throws(() => parseImageConfig('nonsense'), {
    message: /^invalid image configuration: the document/,
  });
  t.throws(() => parseImageConfig('{"rootfs":{"diff_ids":["../x"]}}'), {
    message: /rootfs\.diff_ids/,
  });
  t.end();
});

test('layers are named by what they are, or by what they stand on', (t) => {
  const [a, b] = [digest('a'), digest('b')];
  t.same(chainIds([a, b]), [a, digest(`${a} ${b}`)]);
  t.same(
    layerKeys([a, b], 'diffID').map(({ key }) => key),
    [a, b],
  );
  t.same(layerKeys([a, b], 'chainID')[1]?.parents, [a]);
  t.same(distinctKeys(['x', 'y', 'x']), ['y', 'x']);
  t.end();
});

test('progress', async (t) => {
  await t.test('is drawn as Docker draws it', (t) => {
    t.equal(progressText(153, 153), `[${'='.repeat(50)}>]     153B/153B`);
    t.equal(progressText(0, 2000), `[>${' '.repeat(50)}]       0B/2kB`);
    t.equal(progressText(5, 0), '      5B');
    t.equal(humanSize(1_234_567), '1.235MB');
    t.end();
  });
  await t.test('counts are throttled, but for the last of each', async (t) => {
    const lines: unknown[] = [];
    const progress = new Progress(async (line) => void lines.push(line));
    for (let current = 1; current <= 100; current += 1) {
      progress.count('x', 'Downloading', { current, total: 100 });
    }
    await progress.flush();
    t.equal(lines.length, 2);
  });
  await t.test('a client that is gone is told of at the end', async (t) => {
    const progress = new Progress(() => Promise.reject(new Error('gone')));
    progress.line({ status: 'x' });
    await t.rejects(progress.flush(), { message: 'gone' });
  });
});

test('turns are taken one at a time, whatever becomes of the one before', async (t) => {
  const exclusive = createExclusive();
  const order: string[] = [];
  const failing = exclusive(async () => {
    order.push('first');
    throw new Error('x');
  });
  const second = exclusive(async () => void order.push('second'));
  await t.rejects(failing, { message: 'x' });
  await second;
  t.same(order, ['first', 'second']);
});

test('slots are given in order, and a place in the queue can be left', async (t) => {
  const slots = createSlots(1);
  const never = new AbortController().signal;
  let finish = (): void => undefined;
  const first = slots.run(() => new Promise<void>((resolve) => void (finish = resolve)), never);
  t.ok(slots.full);
  const leaving = new AbortController();
  const second = slots.run(async () => t.fail('it had left'), leaving.signal);
  const third = slots.run(async () => 'third', never);
  leaving.abort(new Error('left'));
  await t.rejects(second, { message: 'left' });
  await Promise.resolve();
  finish();
  await first;
  t.equal(await third, 'third');
  t.notOk(slots.full);
});
