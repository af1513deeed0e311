import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'tap';
import { idleShims } from '../../../daemon/runtime/idle-shims.js';
import { hasCode } from '../../../native/errno-error.js';
import { startShim, type StartedShim } from '../../../native/shim/client.js';

/** One that was never told what to do: it ends as soon as nobody is there to tell it. */
async function idle(socketPath: string): Promise<StartedShim> {
  const { pid, fd } = await startShim('idle', []);
  return { pid, fd, idle: { socket: new Socket({ fd }), socketPath } };
}

test('one that waits is taken once, and what its name stands for goes with it', async (t) => {
  const shims = idleShims((message) => t.fail(message));
  const folder = t.testdir();
  const names = ['a', 'b'].map((name) => join(folder, name));
  const [first, last] = await Promise.all(names.map(idle));
  for (const name of names) writeFileSync(name, '');
  for (const shim of [first, last]) if (shim !== undefined) shims.give(shim);
  const taken = shims.take();
  t.equal(taken, last, 'the one that came last');
  await shims.close();
  t.equal(shims.take(), undefined);
  t.same(names.map((name) => existsSync(name)), [false, true]);
  if (taken !== undefined) shims.give(taken);
  while (names.some((name) => existsSync(name))) await new Promise(setImmediate);
});

test('a name that cannot be removed is told of, and stops nothing', async (t) => {
  const told: unknown[] = [];
  const shims = idleShims((message, cause) => told.push(message, cause));
  const name = join(t.testdir(), 'taken');
  mkdirSync(name);
  shims.give(await idle(name));
  await shims.close();
  const [message, cause] = told;
  t.equal(message, 'an idle shim has left its socket');
  t.ok(hasCode(cause, 'EISDIR'));
});
