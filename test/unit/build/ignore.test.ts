import { test } from 'tap';
import { matcherOf, parseIgnore } from '../../../daemon/build/dockerfile/ignore.js';

const matching: readonly (readonly [string, string, boolean])[] = [
  ['*.txt', 'a.txt', true],
  ['*.txt', 'd/a.txt', false],
  ['**/*.txt', 'a.txt', true],
  ['**/*.txt', 'd/e/a.txt', true],
  ['d/**', 'd', false],
  ['d/**', 'd/e/f', true],
  ['d/**/f', 'd/f', true],
  ['a?c', 'abc', true],
  ['a?c', 'a/c', false],
  ['[a-c]x', 'bx', true],
  ['[^a-c]x', 'bx', false],
  ['\\*', '*', true],
  ['\\*', 'a', false],
  ['*a*b*', 'xaxbx', true],
];

test('patterns are those of Go, with ** for any depth', async (t) => {
  for (const [pattern, path, expected] of matching) {
    t.equal(matcherOf(pattern)(path), expected, `${pattern} ${path}`);
  }
  t.throws(() => matcherOf('[a'), { message: /syntax error in pattern/ });
});

test('an ignored folder takes along what is in it, exceptions come back in order', async (t) => {
  const rules = parseIgnore('# comment\n/node_modules/\n*.md\n!README.md\nsub\n!sub/keep\n');
  t.ok(rules.ignores('node_modules/a/b'));
  t.ok(rules.ignores('x.md'));
  t.notOk(rules.ignores('README.md'));
  t.notOk(rules.ignores('src/x.md'));
  t.ok(rules.ignores('sub/other'));
  t.notOk(rules.ignores('sub/keep/it'));
  t.ok(rules.bringsBack('sub'), 'something below it may be kept');
  t.notOk(rules.bringsBack('node_modules'));
  t.notOk(rules.bringsBack('su'));
  t.notOk(parseIgnore('a\n!**\n').bringsBack('a'), 'as Docker looks');
});
