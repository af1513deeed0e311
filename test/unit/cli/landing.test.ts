import { test } from 'tap';
import { firstName, landingOf, renaming } from '../../../cli/container/landing.js';

const folder = { path: 'src', isFolder: true };
const file = { path: 'src', isFolder: false };

test('a copy lands in a folder, or takes the name that it is given', async (t) => {
  t.strictSame(landingOf(file, { path: '/d', found: 'folder' }), { folder: '/d', name: undefined });
  t.strictSame(landingOf(file, { path: '/d/x', found: 'other' }), { folder: '/d', name: 'x' });
  t.strictSame(landingOf(file, { path: 'x', found: 'nothing' }), { folder: '/', name: 'x' });
  t.strictSame(landingOf(folder, { path: '/a/b/', found: 'nothing' }), { folder: '/a', name: 'b' });
  t.throws(() => landingOf(folder, { path: '/x', found: 'other' }), /cannot copy directory/);
  t.throws(() => landingOf(file, { path: '/x/', found: 'nothing' }), /no such directory/);
});

test('a tar begins with the last name', async (t) => {
  const paths = ['/a/b', 'a/', '/a/.', '.', '/'];
  t.strictSame(paths.map(firstName), ['b', 'a', '.', '.', '/']);
});

test('a rule for tar takes names as they are', async (t) => {
  t.strictSame(renaming('a', undefined), []);
  t.strictSame(renaming('a', 'a'), []);
  t.strictSame(renaming('a.b', 'c&d'), ['--transform', String.raw`s|^a\.b|c\&d|S`]);
});
