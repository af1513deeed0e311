import { test } from 'tap';
import { randomId } from '../../../daemon/random-id.js';

test('ids are 64 hex digits and none comes twice', (t) => {
  const ids = Array.from({ length: 1000 }, randomId);
  t.ok(ids.every((id) => /^[0-9a-f]{64}$/.test(id)));
  t.equal(new Set(ids).size, ids.length);
  t.end();
});
