/** Programs without a fork: what goes in and comes out, how they end, and that none is left. */
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'tap';
import { startChild, type ChildFd } from '../../../native/child.js';
import { ErrnoError } from '../../../native/errno-error.js';

const program = 'tsdocker-unpack';
const start = (args: readonly string[], fds: readonly ChildFd[], name = program) =>
  startChild({ program: name, args, env: [], fds }, 1);

/** Zombies too. */
function children(): readonly string[] {
  const found = readFileSync('/proc/self/task/' + String(process.pid) + '/children', 'utf8');
  return found.split(' ').filter((pid) => pid !== '');
}

test('a child reads, writes and ends with its code', async (t) => {
  const child = start(['expand', 'target=/'], ['reads', 'writes', 'writes', 'writes', 'nothing']);
  child.streams.get(0)?.end('plain bytes');
  const [report, complaint, archive] = await Promise.all(
    [1, 2, 3].map((fd) => text(child.streams.get(fd) ?? Readable.from([]))),
  );
  t.match(report, '"tarBytes":11');
  t.equal(complaint, '');
  t.equal(archive, 'plain bytes');
  t.same(await child.exited, { code: 0, signal: null });
});

test('its own failure is a code, with what it said', async (t) => {
  const child = start(['nonsense'], ['nothing', 'writes', 'writes']);
  const said = text(child.streams.get(2) ?? Readable.from([]));
  child.streams.get(1)?.resume();
  t.same(await child.exited, { code: 2, signal: null });
  t.match(await said, 'usage: tsdocker-unpack');
});

test('it can be killed, even before it has been executed', async (t) => {
  for (const wait of [false, true]) {
    const child = start(['expand', 'target=/'], ['reads', 'writes', 'writes', 'writes']);
    for (const stream of child.streams.values()) stream.resume().on('error', () => undefined);
    if (wait) await child.spawned;
    child.kill();
    t.same(await child.exited, { code: null, signal: 9 });
    child.kill();
    t.ok(child.streams.get(0)?.destroyed, 'nobody is to be fed');
  }
  t.same(children(), []);
});

test('a program that is not there is an error, and its streams are closed', async (t) => {
  const child = start([], ['reads', 'writes', 'writes'], 'tsdocker-nothing');
  await t.rejects(child.spawned, ErrnoError);
  await t.rejects(child.exited, { code: 'ENOENT' });
  for (const stream of child.streams.values()) t.ok(stream.destroyed);
});
