import { test } from 'tap';
import { ApiError } from '../../../api-spec/errors.js';
import { become, transitions } from '../../../daemon/containers/state.js';
import type { ContainerState, Status } from '../../../daemon/containers/state.js';

const examples: Readonly<Record<Status, ContainerState>> = {
  created: { status: 'created' },
  running: { status: 'running', pid: 7, startedAtMs: 1 },
  paused: { status: 'paused', pid: 7, startedAtMs: 1 },
  restarting: {
    status: 'restarting', startedAtMs: 1, finishedAtMs: 2, exitCode: 1, oomKilled: false,
  },
  exited: {
    status: 'exited',
    startedAtMs: 1,
    finishedAtMs: 2,
    exitCode: 0,
    oomKilled: false,
    error: '',
  },
  removing: { status: 'removing' },
  dead: { status: 'dead', error: 'x' },
};

test('all 49 pairs of states: what the table lists is allowed, all else is a conflict', (t) => {
  let pairs = 0;
  for (const from of Object.values(examples)) {
    for (const to of Object.values(examples)) {
      pairs += 1;
      if (transitions[from.status].includes(to.status)) {
        t.equal(become(from, to), to, `${from.status} → ${to.status}`);
      } else {
        t.throws(() => become(from, to), { name: 'ApiError', kind: 'Conflict' });
      }
    }
  }
  t.equal(pairs, 49);
  t.end();
});

test('a live container cannot be removed, and a removed one cannot be started', (t) => {
  t.throws(() => become(examples.running, examples.removing), ApiError);
  t.throws(() => become(examples.paused, examples.removing), ApiError);
  t.throws(() => become(examples.removing, examples.running), ApiError);
  t.throws(() => become(examples.dead, examples.running), ApiError);
  t.end();
});
