import { test } from 'tap';
import { archivePath, baseOf, goMode, goTime } from '../../../daemon/containers/archive-path.js';

test('a path is clean but for its end', async (t) => {
  const paths = ['', '/', '.', '/.', 'a', '/a/', '/a/.', 'a/./', '/a//b/../c', '../../x', '/a/..'];
  t.strictSame(paths.map(archivePath), [
    '/', '/', '/.', '/.', '/a', '/a/', '/a/.', '/a/.', '/a/c', '/x', '/',
  ]);
});

test('the last name is as Go has it', async (t) => {
  const paths = ['/', '/.', '/a', '/a/', '/a/.', '/a/b'];
  t.strictSame(paths.map(baseOf), ['/', '.', 'a', 'a', '.', 'b']);
});

test('modes are Go\'s', async (t) => {
  t.equal(goMode(0o040755), 2147484141);
  t.equal(goMode(0o120777), 134218239);
  t.equal(goMode(0o100644), 420);
  t.equal(goMode(0o106755), 8388608 + 4194304 + 0o755);
  t.equal(goMode(0o041777), 2147483648 + 1048576 + 0o777);
  t.equal(goMode(0o020666), 67108864 + 2097152 + 0o666);
  t.equal(goMode(0o010600), 33554432 + 0o600);
});

test('times have the digits that they need', async (t) => {
  t.equal(goTime(0n), '1970-01-01T00:00:00Z');
  t.equal(goTime(1_600_000_000_070_000_000n), '2020-09-13T12:26:40.07Z');
  t.equal(goTime(-1n), '1969-12-31T23:59:59.999999999Z');
});
