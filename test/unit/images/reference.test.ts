import { test } from 'tap';
import {
  familiarName,
  fullName,
  parseImageId,
  parseReference,
  withDefaultTag,
  withDigest,
  withTag,
} from '../../../daemon/images/reference.js';

const hex = 'a'.repeat(64);

test('names are read in full and shown short', (t) => {
  const names = [
    ['a', 'docker.io/library/a', 'a'],
    ['a.b', 'docker.io/library/a.b', 'a.b'],
    ['a__b', 'docker.io/library/a__b', 'a__b'],
    ['docker.io/a', 'docker.io/library/a', 'a'],
    ['index.docker.io/a', 'docker.io/library/a', 'a'],
    ['docker.io/library/a:1', 'docker.io/library/a:1', 'a:1'],
    ['me/a:1', 'docker.io/me/a:1', 'me/a:1'],
    ['localhost/a', 'localhost/a', 'localhost/a'],
    ['Foo/bar', 'Foo/bar', 'Foo/bar'],
    ['host:99999/a', 'host:99999/a', 'host:99999/a'],
    ['[::1]:5000/a', '[::1]:5000/a', '[::1]:5000/a'],
    [`a:1@sha256:${hex}`, `docker.io/library/a:1@sha256:${hex}`, `a:1@sha256:${hex}`],
    ['sha256:abcd', 'docker.io/library/sha256:abcd', 'sha256:abcd'],
  ] as const;
  for (const [text, full, familiar] of names) {
    t.equal(fullName(parseReference(text)), full);
    t.equal(familiarName(parseReference(text)), familiar);
  }
  t.end();
});

test("what is no reference is refused in Docker's words", (t) => {
  const plain = [
    '',
    ' ',
    'a b',
    'a:',
    ':a',
    'a@',
    'a@b',
    'a@sha256:12',
    'a:b:c',
    'a//b',
    '/a',
    'a/',
  ];
  const more = ['a..b', 'a-', '-a', 'a___b', 'host:/a', 'é', 'a:é', `a:${'b'.repeat(129)}`];
  for (const text of [...plain, ...more]) {
    t.throws(
      () => parseReference(text),
      { message: 'invalid reference format' },
      JSON.stringify(text),
    );
  }
  const worded = [
    ['A', 'invalid reference format: repository name (library/A) must be lowercase'],
    ['foo.com/A', 'invalid reference format: repository name (A) must be lowercase'],
    ['a/B:1', 'invalid reference format: repository name (a/B) must be lowercase'],
    ['a'.repeat(256), 'repository name must not be more than 255 characters'],
    [`a@sha256:${hex.toUpperCase()}`, 'invalid checksum digest format'],
    [`a@sha256:${'a'.repeat(40)}`, 'invalid checksum digest length'],
    [`a@md5:${'a'.repeat(32)}`, 'unsupported digest algorithm'],
    [hex, `invalid repository name (${hex}), cannot specify 64-byte hexadecimal strings`],
  ] as const;
  for (const [text, message] of worded) t.throws(() => parseReference(text), { message });
  t.end();
});

test('long nonsense is refused at once', (t) => {
  const started = performance.now();
  t.throws(() => parseReference(`${'a-'.repeat(2000)}!`), { message: 'invalid reference format' });
  t.throws(() => parseReference('a'.repeat(1e7)), { message: 'invalid reference format' });
  t.ok(performance.now() - started < 1000);
  t.end();
});

test('a tag is understood where none was given, and only there', (t) => {
  t.equal(fullName(withDefaultTag(parseReference('a'))), 'docker.io/library/a:latest');
  t.equal(fullName(withDefaultTag(parseReference('a:2'))), 'docker.io/library/a:2');
  const pinned = `docker.io/library/a@sha256:${hex}`;
  t.equal(fullName(withDefaultTag(parseReference(pinned))), pinned);
  t.equal(fullName(withTag(parseReference('a:1'), '2')), 'docker.io/library/a:2');
  t.throws(() => withTag(parseReference('a'), 'b@d'), { message: 'invalid tag format' });
  t.equal(familiarName(withDigest(parseReference('a:1'), `sha256:${hex}`)), `a@sha256:${hex}`);
  t.end();
});

test('only whole ids are ids', (t) => {
  t.equal(parseImageId(hex), `sha256:${hex}`);
  t.equal(parseImageId(`sha256:${hex}`), `sha256:${hex}`);
  t.equal(parseImageId(hex.slice(1)), undefined);
  t.end();
});
