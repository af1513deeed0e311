import { test } from 'tap';
import type { VolumeRecord } from '../../../daemon/volumes/book.js';
import { matchesList, matchesPrune } from '../../../daemon/volumes/filters.js';
import { checkDriver } from '../../../daemon/volumes/local-driver.js';
import { anonymousLabel, checkVolumeName, newVolumeName } from '../../../daemon/volumes/names.js';

const volume = (name: string, labels: Readonly<Record<string, string>> = {}): VolumeRecord => ({
  name, driver: 'local', labels, options: {}, createdAtMs: 0,
});
const bad = (message: string | RegExp) => ({ kind: 'InvalidParameter', message });

test('names of volumes are refused in the words of Docker', (t) => {
  const good = ['ab', 'a.b_c-d', newVolumeName()];
  for (const name of good) t.doesNotThrow(() => checkVolumeName(name));
  const short =
    'create x: volume name is too short, names should be at least two alphanumeric characters';
  t.throws(() => checkVolumeName('x'), bad(short));
  const wrong = ['a/b', '../x', '.trash', '-a', 'a b', 'ä1', '', 'a\n'];
  for (const name of wrong) t.throws(() => checkVolumeName(name), bad(/invalid characters/), name);
  t.throws(() => checkVolumeName('a'.repeat(256)), bad(/too long/));
  t.end();
});

test('options that the local driver cannot honour are refused', (t) => {
  const refused: readonly (readonly [Record<string, string>, string])[] = [
    [{ foo: 'bar' }, 'create v: invalid option: "foo"'],
    [{ type: 'tmpfs' }, 'create v: missing required option: "device"'],
    [{ o: 'size=1m' }, 'create v: missing required option: "device"'],
    [{ size: '1m' }, 'create v: quota size requested but no quota support'],
  ];
  for (const [options, message] of refused) {
    t.throws(() => checkDriver('v', 'local', options), bad(message));
  }
  t.doesNotThrow(() => checkDriver('v', '', { type: 'nfs', device: ':/x', o: 'addr=1.2.3.4,rw' }));
  t.throws(() => checkDriver('v', 'nosuch', {}), {
    kind: 'NotFound',
    message: 'create v: error looking up volume plugin nosuch: plugin "nosuch" not found',
  });
  t.end();
});

test('volumes are listed by name, label, driver and whether they dangle', (t) => {
  const data = volume('data', { a: 'b', empty: '' });
  const shown = (filters: Record<string, readonly string[]>, inUse = false): boolean =>
    matchesList(data, filters, () => inUse);
  t.ok(shown({}));
  t.ok(shown({ name: ['at'] }));
  t.notOk(shown({ name: ['x'] }));
  t.ok(shown({ label: ['a', 'a=b', 'empty='] }));
  t.notOk(shown({ label: ['a', 'a=c'] }));
  t.notOk(shown({ label: ['toString'] }));
  t.ok(shown({ driver: ['x', 'local'] }));
  t.ok(shown({ dangling: ['true'] }, false));
  t.notOk(shown({ dangling: ['1'] }, true));
  t.ok(shown({ dangling: ['false'] }, true));
  t.throws(() => shown({ dangling: ['maybe'] }), bad("invalid filter 'dangling=[maybe]'"));
  t.end();
});

test('prune takes anonymous volumes only, unless told to take all', (t) => {
  const named = volume('data', { a: 'b' });
  const anonymous = volume(newVolumeName(), { [anonymousLabel]: '' });
  t.notOk(matchesPrune(named, {}));
  t.ok(matchesPrune(anonymous, {}));
  t.ok(matchesPrune(named, { all: ['true'] }));
  t.notOk(matchesPrune(named, { all: ['true'], 'label!': ['a'] }));
  t.ok(matchesPrune(named, { all: ['true'], 'label!': ['a', 'other'] }));
  t.notOk(matchesPrune(named, { all: ['true'], label: ['c'] }));
  const message = `invalid filter 'all': strconv.ParseBool: parsing "maybe": invalid syntax`;
  t.throws(() => matchesPrune(named, { all: ['maybe'] }), bad(message));
  t.end();
});
