import * as fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type Test } from 'tap';
import { createSpares } from '../../../daemon/networks/spares.js';
import { ErrnoError } from '../../../native/errno-error.js';
import type { Netlink } from '../../../native/netlink/index.js';

/** Gives fds of a file for those of namespaces, one turn later. */
function maker(problem?: Error) {
  const made: number[] = [];
  const run = async (): Promise<readonly [number]> => {
    await sleep(1);
    if (problem !== undefined) throw problem;
    const fd = fs.openSync('/dev/null', 'r');
    made.push(fd);
    return [fd];
  };
  // All that is asked of it is `makeNetns`.
  return { made, netlink: { run } as unknown as Pick<Netlink, 'run'> };
}

const isOpen = (fd: number): boolean => fs.existsSync(`/proc/self/fd/${fd}`);

function closeLater(t: Test, fd: number | undefined): void {
  t.teardown(() => (fd === undefined ? undefined : fs.closeSync(fd)));
}

test('what is expected is there once, and is whose it is given to', async (t) => {
  const { made, netlink } = maker();
  const spares = createSpares({ netlink, warn: (text) => t.fail(text) });
  t.equal(spares.take(), undefined, 'nothing is made before it is expected');
  spares.expect();
  await sleep(20);
  const fd = spares.take();
  closeLater(t, fd);
  t.equal(fd, made[0]);
  t.equal(spares.take(), undefined);
  spares.close();
  t.ok(fd !== undefined && isOpen(fd), 'it is not taken back');
  t.end();
});

test('however many are expected, four wait', async (t) => {
  const { made, netlink } = maker();
  const spares = createSpares({ netlink, warn: (text) => t.fail(text) });
  for (let count = 0; count < 10; count++) spares.expect();
  await sleep(30);
  t.equal(made.length, 4);
  spares.close();
  t.same(made.filter(isOpen), [], 'none outlives the service');
  spares.expect();
  await sleep(20);
  t.equal(made.length, 4, 'and none comes after it');
});

test('what nobody takes goes after a while', async (t) => {
  const { made, netlink } = maker();
  const spares = createSpares({ netlink, warn: (text) => t.fail(text), keptMs: 40 });
  spares.expect();
  await sleep(20);
  t.same(made.filter(isOpen), made);
  await sleep(60);
  t.same(made.filter(isOpen), []);
  t.equal(spares.take(), undefined);
  spares.close();
});

test('one that comes when all is closed goes at once', async (t) => {
  const { made, netlink } = maker();
  const spares = createSpares({ netlink, warn: (text) => t.fail(text) });
  spares.expect();
  spares.close();
  await sleep(20);
  t.equal(made.length, 1);
  t.same(made.filter(isOpen), []);
});

test('that none can be made is told once, and ends nothing', async (t) => {
  const { netlink } = maker(new ErrnoError('unshare', 'ENOSPC', 'network namespace'));
  const told: string[] = [];
  const spares = createSpares({ netlink, warn: (text) => told.push(text) });
  for (let count = 0; count < 3; count++) {
    spares.expect();
    await sleep(10);
  }
  t.equal(spares.take(), undefined);
  t.match(told, [/cannot be made ahead: .*ENOSPC/]);
  t.equal(told.length, 1);
  spares.close();
});
