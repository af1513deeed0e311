import { test } from 'tap';
import { conflict, errorStatus, notFound } from '../../../api-spec/errors.js';
import * as errors from '../../../api-spec/errors.js';
import { refusalOf } from '../../../daemon/http/errors.js';
import { ErrnoError } from '../../../native/errno-error.js';

test('every kind of error has its status, and its words go out as they are', async (t) => {
  for (const [kind, status] of Object.entries(errorStatus)) {
    // The keys of the table are the kinds.
    const error = new errors.ApiError(kind as errors.ErrorKind, 'why');
    t.same(refusalOf(error), { status, message: 'why', bug: false });
  }
});

test('a full disk is 507, and no bug', async (t) => {
  t.match(refusalOf(new ErrnoError('write', 'ENOSPC', '/x')), { status: 507, bug: false });
  t.match(refusalOf(new ErrnoError('write', 'EDQUOT')), { status: 507, bug: false });
});

test('another failure of the kernel is 500 and says which', async (t) => {
  t.same(refusalOf(new ErrnoError('mount', 'EINVAL', '/x')), {
    status: 500,
    message: 'mount /x: EINVAL',
    bug: true,
  });
});

test('a teardown that failed in several places tells them all', async (t) => {
  const error = new AggregateError([conflict('one'), notFound('two')]);
  t.same(refusalOf(error), { status: 409, message: 'one; two', bug: false });
});

test('what nobody foresaw is 500 and a bug', async (t) => {
  t.same(refusalOf(new TypeError('x is not y')), { status: 500, message: 'x is not y', bug: true });
  t.same(refusalOf('text'), { status: 500, message: 'text', bug: true });
});
