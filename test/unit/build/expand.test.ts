import { test } from 'tap';
import { expandText, expandWord, expandWords } from '../../../daemon/build/dockerfile/expand.js';

const values: Readonly<Record<string, string>> = { A: 'x.y.z', E: '', P: '80 90', S: 'a b' };
const options = { variables: (name: string) => values[name], escape: '\\' } as const;

const cases: readonly (readonly [string, string])[] = [
  ['$A', 'x.y.z'],
  ['${A}b', 'x.y.zb'],
  ['$U', ''],
  ['a$', 'a$'],
  ['\\$A', '$A'],
  ["'$A'", '$A'],
  ['"$A\\n"', 'x.y.z\\n'],
  ['"a\\"b"', 'a"b'],
  ['${A:-q}', 'x.y.z'],
  ['${U:-q}', 'q'],
  ['${E:-q}', 'q'],
  ['${E-q}', ''],
  ['${U-$A}', 'x.y.z'],
  ['${A:+p}', 'p'],
  ['${E:+p}', ''],
  ['${E+p}', 'p'],
  ['${U+p}', ''],
  ['${A#*.}', 'y.z'],
  ['${A##*.}', 'z'],
  ['${A%.*}', 'x.y'],
  ['${A%%.*}', 'x'],
  ['${A#?}', '.y.z'],
  ['${A/./-}', 'x-y.z'],
  ['${A//./-}', 'x-y-z'],
  ['${A/y*/}', 'x.'],
  ['$S', 'a b'],
];

test('variables, quotes and modifiers', async (t) => {
  for (const [word, expected] of cases) t.equal(expandWord(word, options), expected, word);
});

test('words are parted at blanks that no quote protects', async (t) => {
  t.same(expandWords('$P', options), ['80', '90']);
  t.same(expandWords('"$P"', options), ['80 90']);
  t.same(expandWords('a$P"b c"', options), ['a80', '90b c']);
  t.same(expandWords('$U', options), []);
});

test('in here-documents quotes mean nothing', async (t) => {
  t.equal(expandText('\'$A\' "\\$A" \\n', options), '\'x.y.z\' "$A" \\n');
});

const wrong: readonly (readonly [string, string])[] = [
  ['${U:?no}', 'U: no'],
  ['${U?}', 'U: not allowed to be unset'],
  ['${A:x}', 'unsupported modifier (:x) in substitution'],
  ["'a", 'unexpected end of statement while looking for matching single-quote'],
  ['"a', 'unexpected end of statement while looking for matching double-quote'],
  ['${}', 'syntax error: bad substitution'],
  ['${', "syntax error: missing '}'"],
];

test('what cannot be expanded is told with its word', async (t) => {
  for (const [word, why] of wrong) {
    const message = `failed to process ${JSON.stringify(word)}: ${why}`;
    t.throws(() => expandWord(word, options), { kind: 'InvalidParameter', message });
  }
});

test('a hostile pattern takes no time to speak of', async (t) => {
  const long = { ...options, variables: () => 'a'.repeat(4000) };
  const begun = performance.now();
  expandWord(`\${A%%${'*a'.repeat(200)}b}`, long);
  expandWord(`\${A//${'*a'.repeat(20)}b/c}`, long);
  t.ok(performance.now() - begun < 5000);
});
