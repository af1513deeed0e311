/** An init that lives in the shim's memory until it executes, while the shim waits for it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { launch, type LaunchProgram, type Launching, type Step } from '../../native/index.js';
import { isAlive } from '../support/alive.js';
import { containerProgram, monitorIn, shell, type Container } from '../support/launch-programs.js';
import { containerDir, readLog } from '../support/shim-container.js';

const limitMs = 300;

/** The program of a container, whose init borrows; `inInit` comes before its first step. */
function borrowing(container: Container, inInit: readonly Step[] = []): LaunchProgram {
  const { host, init } = containerProgram(container);
  return {
    host: host.map((step) => step.op === 'clone' ? { ...step, op: 'cloneVm', limitMs } : step),
    init: [...inInit, ...init],
  };
}

interface Wishes extends Partial<Container> {
  readonly inInit?: readonly Step[];
  readonly opens?: boolean;
  readonly openWaitMs?: number;
}

function start(t: Test, { inInit = [], opens = true, openWaitMs = 0, ...wish }: Wishes) {
  const dir = containerDir(t);
  const container = { rootfs: join(dir, 'root'), argv: shell('true'), ...wish };
  const program = borrowing(container, inInit);
  const monitor = { ...monitorIn(dir, container), openWaitMs };
  const launched = launch({ program, monitor, opens });
  return { dir, launched };
}

async function endOf(t: Test, { shim }: Launching) {
  const exit = await shim.exited;
  t.equal(exit.lost, false);
  await shim.bye();
  return exit.lost ? undefined : exit.exitCode;
}

test('it is a container as any other: output, code, and signals of its own', async (t) => {
  const script = 'echo $0 $HOME; trap "echo heard; exit 7" TERM; kill $$; sleep 9';
  const { dir, launched } = start(t, { argv: shell(script), env: ['PATH=/bin', 'HOME=/x'] });
  const launching = await launched;
  t.equal(await endOf(t, launching), 7);
  t.same(readLog(join(dir, 'log.json')).map(({ log }) => log), ['sh /x\n', 'heard\n']);
});

test('with a terminal, whose controlling side reaches the shim all the same', async (t) => {
  const { dir, launched } = start(t, { argv: shell('test -t 1 && tty'), tty: true });
  t.equal(await endOf(t, await launched), 0);
  t.match(readLog(join(dir, 'log.json'))[0]?.log, '/dev/pts/0');
});

test('its memory is its own once it runs, and the shim goes on', async (t) => {
  const { launched } = start(t, { argv: shell('sleep 9') });
  const launching = await launched;
  const { shimPid } = await launching.shim.hello();
  const programOf = (pid: number): string | undefined =>
    readFileSync(`/proc/${pid}/maps`, 'latin1').split('\n')[0]?.replace(/^.* /, '');
  t.not(programOf(launching.pid), programOf(shimPid));
  t.equal(await launching.shim.signal(9), true);
  t.equal(await endOf(t, launching), 137);
});

test('what fails in it is told by its name, and is undone', async (t) => {
  const missing = start(t, { paths: ['/nope'] });
  await t.rejects(missing.launched, { strand: 'init', code: 'ENOENT', about: 'exec' });
  t.equal(existsSync(join(missing.dir, 'shim.sock')), false);
  const failing = start(t, { inInit: [{ op: 'fchdir', fd: 200, about: 'a slot of nobody' }] });
  await t.rejects(failing.launched, { strand: 'init', code: 'EBADF', about: 'a slot of nobody' });
});

/** Of an init that waits for what never comes: how long, and what is told. */
async function stuck(t: Test, hostPid: boolean) {
  const startedMs = performance.now();
  const { launched, dir } = start(t, { hostPid, inInit: [{ op: 'await', token: 99 }] });
  const error: unknown = await launched.catch((reason: unknown) => reason);
  const tookMs = performance.now() - startedMs;
  t.ok(tookMs >= limitMs && tookMs < 10_000, `after ${Math.round(tookMs)} ms`);
  const leftOf = (pid: string): boolean =>
    readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(` ${dir}/`);
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const left = pids.filter((pid) => ifThere(() => leftOf(pid)));
  t.same(left, [], 'nothing of it is left');
  return error;
}

function ifThere(look: () => boolean): boolean {
  try {
    return look();
  } catch {
    return false; // It has ended meanwhile.
  }
}

test('one that does not come to its execve is killed by the kernel', async (t) => {
  t.match(await stuck(t, true), { strand: 'init', code: 'ESRCH' });
  const first = await stuck(t, false);
  t.match(first, { strand: 'shim', code: 'EPIPE' }, 'where it may not be, with the shim');
});

test('the limit ends with the execve', async (t) => {
  const { launched } = start(t, { argv: shell('sleep 0.6; exit 4') });
  const launching = await launched;
  t.ok(isAlive(launching.pid));
  t.equal(await endOf(t, launching), 4);
});

test('the word that it runs may wait for that of its end, but no longer than is said', async (t) => {
  const openWaitMs = 2000;
  const begunMs = performance.now();
  const short = await start(t, { argv: shell('sleep 0.2; exit 3'), openWaitMs }).launched;
  const toldMs = performance.now() - begunMs;
  t.ok(toldMs >= 200 && toldMs < openWaitMs, `together with its end, after ${String(toldMs)} ms`);
  t.equal(await endOf(t, short), 3);
  const long = await start(t, { argv: shell('sleep 100'), openWaitMs: 300 }).launched;
  t.match(await long.shim.hello(), { started: true, pid: long.pid });
  await long.shim.signal(9);
  t.equal(await endOf(t, long), 137);
  const failing = start(t, { paths: ['/nope'], openWaitMs }).launched;
  await t.rejects(failing, { strand: 'init', code: 'ENOENT' });
});

test('who would stop at the gate may not borrow: nobody could open it', async (t) => {
  const { launched } = start(t, { opens: false });
  await t.rejects(launched, { strand: 'host', code: 'EINVAL' });
});
