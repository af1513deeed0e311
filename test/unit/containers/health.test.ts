import { test } from 'tap';
import {
  afterProbe,
  exceededTimeout,
  probePlan,
  startingHealth,
  unwatchedHealth,
  waitMs,
} from '../../../daemon/containers/health-schedule.js';
import type { ContainerHealth, ProbePlan } from '../../../daemon/containers/health-schedule.js';
import { LimitedText } from '../../../daemon/containers/limited-text.js';

const shell = ['/bin/sh', '-c'];
const second = 1_000_000_000;

function planned(config: object = {}): ProbePlan {
  const plan = probePlan({ Test: ['CMD', 'true'], ...config }, shell);
  if (plan === undefined) throw new Error('nothing is probed');
  return plan;
}

function health(status: ContainerHealth['status'], failingStreak = 0): ContainerHealth {
  return { status, failingStreak, log: [] };
}

const result = (exitCode: number) => ({ startMs: 1, endMs: 2, exitCode, output: '' });

test('only CMD and CMD-SHELL are probed', (t) => {
  for (const Test of [undefined, [], ['NONE'], ['CMD'], ['BOGUS', 'x']]) {
    t.equal(probePlan(Test === undefined ? {} : { Test }, shell), undefined, String(Test));
  }
  t.equal(probePlan(undefined, shell), undefined);
  t.strictSame(planned().command, ['true']);
  t.strictSame(planned({ Test: ['CMD-SHELL', 'a; b'] }).command, ['/bin/sh', '-c', 'a; b']);
  t.end();
});

test('what is left out or zero has the default', (t) => {
  const plan = {
    command: ['true'], intervalMs: 30_000, timeoutMs: 30_000, startPeriodMs: 0,
    startIntervalMs: 5_000, retries: 3,
  };
  t.strictSame(planned(), plan);
  t.strictSame(planned({ Interval: 0, Timeout: 0, Retries: 0, StartInterval: 0 }), plan);
  t.match(planned({ Interval: 2 * second, Retries: 1 }), { intervalMs: 2_000, retries: 1 });
  t.equal(planned({ Interval: 1e18 }).intervalMs, 2 ** 31 - 1, 'no longer than a timer can run');
  t.end();
});

test('while it starts, probes come at the rate of starting', (t) => {
  const plan = planned({ StartPeriod: 60 * second, StartInterval: second });
  const table: readonly (readonly [ContainerHealth['status'], number, number])[] = [
    ['starting', 0, 1_000],
    ['starting', 59_999, 1_000],
    ['starting', 60_000, 30_000],
    ['healthy', 10, 30_000],
    ['unhealthy', 10, 30_000],
  ];
  for (const [status, uptimeMs, wanted] of table) {
    t.equal(waitMs(plan, health(status), uptimeMs), wanted, `${status} at ${uptimeMs}`);
  }
  t.end();
});

test('what a probe makes of the health', (t) => {
  const plan = planned({ Retries: 2, StartPeriod: 10 * second });
  type Row = readonly [ContainerHealth, exitCode: number, uptimeMs: number, ContainerHealth];
  const table: readonly Row[] = [
    [health('starting'), 0, 0, health('healthy')],
    [health('starting'), 1, 9_999, health('starting')],
    [health('starting'), 1, 10_000, health('starting', 1)],
    [health('starting', 1), -1, 10_000, health('unhealthy', 2)],
    [health('healthy'), 2, 0, health('healthy', 1)],
    [health('healthy', 1), 2, 0, health('unhealthy', 2)],
    [health('unhealthy', 2), 1, 99_999, health('unhealthy', 3)],
    [health('unhealthy', 7), 0, 99_999, health('healthy')],
  ];
  for (const [before, exitCode, uptimeMs, { status, failingStreak }] of table) {
    const after = afterProbe(plan, before, { result: result(exitCode), uptimeMs });
    const name = `${before.status} ${before.failingStreak}, code ${exitCode} at ${uptimeMs}`;
    t.strictSame(after, { status, failingStreak, log: [result(exitCode)] }, name);
  }
  t.end();
});

test('the last five runs are kept, over a restart too', (t) => {
  let now = health('starting');
  for (let code = 1; code <= 7; code++) {
    now = afterProbe(planned(), now, { result: result(code), uptimeMs: 0 });
  }
  t.strictSame(now.log.map(({ exitCode }) => exitCode), [3, 4, 5, 6, 7]);
  t.strictSame(startingHealth(now), { status: 'starting', failingStreak: 0, log: now.log });
  t.strictSame(unwatchedHealth(health('healthy')), health('unhealthy'));
  t.end();
});

test('a probe that was killed says so, with its time as Go writes it', (t) => {
  const texts: readonly (readonly [number, string])[] = [
    [300, '300ms'], [1_000, '1s'], [1_500, '1.5s'], [60_000, '1m0s'], [3_661_000, '1h1m1s'],
  ];
  for (const [ms, text] of texts) {
    t.equal(exceededTimeout(ms, ''), `Health check exceeded timeout (${text})`);
  }
  t.equal(exceededTimeout(300, 'hm'), 'Health check exceeded timeout (300ms): hm');
  t.end();
});

test('of a long output the beginning is kept', (t) => {
  const text = new LimitedText(6);
  text.add(Buffer.from('abcd'));
  t.equal(String(text), 'abcd');
  text.add(Buffer.from('ef'));
  t.equal(String(text), 'abcdef');
  text.add(Buffer.from('g'));
  t.equal(String(text), 'abcdef...');
  t.end();
});
