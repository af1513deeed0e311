import { test } from 'tap';
import { compareAnswers, compareJson } from '../../compat/differential/compare.js';
import { intentionFor } from '../../compat/differential/intended.js';
import { fill, normalise, normaliseText } from '../../compat/differential/normalise.js';

const id = 'a'.repeat(64);
const answer = (status: number, text: string, headers: Readonly<Record<string, string>> = {}) => ({
  answer: { status, text, headers },
  names: { own: id },
});

test('ids, times and addresses are told as what they are', async (t) => {
  const text = `No such container: ${id} at 2024-01-02T03:04:05.678Z by 172.17.0.2`;
  t.equal(
    normaliseText(text, { own: id }),
    'No such container: <own> at <time> by <address>',
  );
  t.equal(normaliseText('0001-01-01T00:00:00Z', {}), '<no time>');
  t.same(normalise({ [id]: [id.slice(0, 12), 5, null] }, {}), { '<id>': ['<id12>', 5, null] });
});

test('a request gets each engine\'s own names', async (t) => {
  t.equal(fill('/containers/{own}/json?x={other}', { own: 'abc' }),
    '/containers/abc/json?x={other}');
});

test('a null is no empty list, and a list of something none of nothing', async (t) => {
  t.same(compareJson({ a: null }, { a: [] }, 'shape'), [{ path: 'a', reference: 'null',
    ours: '[]' }]);
  t.same(compareJson({ a: [1] }, { a: [] }, 'shape'), [{ path: 'a[]', reference: '[1]',
    ours: '[]' }]);
  t.same(compareJson({ a: [1, 2] }, { a: [3] }, 'shape'), []);
});

test('by shape only fields and types count, by values all', async (t) => {
  const [a, b] = [{ a: 'x', b: { c: 1 } }, { a: 'y', b: { c: 2 } }];
  t.same(compareJson(a, b, 'shape'), []);
  t.equal(compareJson(a, b, 'values').length, 2);
  t.same(compareJson(a, { a: 'x' }, 'shape'), [
    { path: 'b', reference: '{"c":1}', ours: '(absent)' },
  ]);
});

test('a field that any item of a list has, the list has', async (t) => {
  t.same(compareJson([{ a: 1 }, { b: 1 }], [{ a: 1, b: 1 }], 'shape'), []);
});

test('errors are compared to the letter, whatever their ids', async (t) => {
  const error = (message: string) => answer(404, JSON.stringify({ message }));
  t.same(compareAnswers(error(`No such: ${id}`), error(`No such: ${id}`), 'shape'), []);
  t.match(compareAnswers(error('a'), error('b'), 'shape'), [{ path: 'message' }]);
});

test('another status says it all', async (t) => {
  const found = compareAnswers(answer(200, '{}'), answer(404, '{"message":"x"}'), 'shape');
  t.same(found, [{ path: 'status', reference: '200 {}', ours: '404 {"message":"x"}' }]);
});

test('of the engine\'s own headers it counts that they are there', async (t) => {
  const of = (headers: Readonly<Record<string, string>>) => answer(200, '', headers);
  t.same(compareAnswers(of({ server: 'a', date: '1' }), of({ server: 'b' }), 'shape'), []);
  t.match(compareAnswers(of({ server: 'a' }), of({}), 'shape'), [{ path: 'header server' }]);
  t.match(compareAnswers(of({ pragma: 'a' }), of({ pragma: 'b' }), 'shape'), [
    { path: 'header pragma' },
  ]);
});

test('what is not in the list of intended differences has no reason', async (t) => {
  const difference = { path: 'status', reference: '200', ours: '500 a bug' };
  t.equal(intentionFor('GET /info', difference), undefined);
});
