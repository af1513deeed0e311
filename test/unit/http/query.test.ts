import { test } from 'tap';
import { bool, boolOrTrue, int, str, strs } from '../../../api-spec/operation.js';
import {
  decodeFilters,
  decodeQuery,
  parseUnixNano,
  searchOf,
} from '../../../daemon/http/query.js';

const query = (text: string) =>
  decodeQuery({ flag: bool, on: boolOrTrue, n: int, s: str, many: strs }, searchOf(`/x?${text}`));
const invalid = { name: 'ApiError', kind: 'InvalidParameter' };

test('what is not given has its zero value', async (t) => {
  t.same(query(''), { flag: false, on: true, n: undefined, s: '', many: [] });
});

test('five spellings of no are false, everything else is true', async (t) => {
  for (const no of ['', '0', 'no', 'False', 'none', ' false ']) {
    t.equal(query(`flag=${encodeURIComponent(no)}`)['flag'], false, no);
  }
  for (const yes of ['1', 'true', 'yes', 'x']) t.equal(query(`flag=${yes}`)['flag'], true, yes);
});

test('a repeated name is a list where one is wanted, else its first value', async (t) => {
  const decoded = query('many=a&many=b&s=c&s=d');
  t.same(decoded['many'], ['a', 'b']);
  t.equal(decoded['s'], 'c');
});

test('a number that is none is refused in the words of Go', async (t) => {
  t.throws(() => query('n=abc'), {
    ...invalid,
    message: 'strconv.Atoi: parsing "abc": invalid syntax',
  });
  t.throws(() => query('n=1e3'), invalid);
  t.throws(() => query('n=99999999999999999999'), { message: /value out of range/ });
  t.equal(query('n=-1')['n'], -1);
});

test('a time keeps its nanoseconds', async (t) => {
  t.equal(parseUnixNano('1795441595.123456789'), 1795441595123456789n);
  t.equal(parseUnixNano('1795441595.5'), 1795441595500000000n);
  t.equal(parseUnixNano('7'), 7000000000n);
  t.equal(parseUnixNano(''), undefined);
  t.equal(parseUnixNano('0'), undefined);
  t.throws(() => parseUnixNano('abc'), invalid);
  t.throws(() => parseUnixNano('1.2.3'), invalid);
});

test('filters are read in both forms', async (t) => {
  const known = ['label', 'status'];
  t.same(decodeFilters('{"label":{"a=b":true,"c":true}}', known), { label: ['a=b', 'c'] });
  t.same(decodeFilters('{"label":["a=b"],"status":[]}', known), { label: ['a=b'], status: [] });
  for (const nothing of [null, '', '{}', 'null']) t.same(decodeFilters(nothing, known), {});
});

test('an unknown filter is named', async (t) => {
  t.throws(() => decodeFilters('{"x":["y"]}', ['label']), {
    ...invalid,
    message: "invalid filter 'x'",
  });
});

test('filters of another form are refused', async (t) => {
  const wrong = ['xx', '[]', '5', '"a"', '{"label":"a"}', '{"label":[5]}', '{"label":{"a":1}}'];
  for (const text of wrong) {
    t.throws(() => decodeFilters(text, ['label']), { ...invalid, message: 'invalid filter' }, text);
  }
});
