import { test } from 'tap';
import { parseFlags, splitCommandLine } from '../../../cli/oci-runtime/arguments.js';
import { signalNumber } from '../../../cli/oci-runtime/kill.js';

test('global flags stand before the command, its own behind it', async (t) => {
  const line = splitCommandLine([
    '--root',
    '/r',
    '--debug',
    '--log=x',
    'create',
    '--bundle',
    'b',
    'c',
  ]);
  t.equal(line.command, 'create');
  t.equal(line.global.text('root'), '/r');
  t.equal(line.global.text('log'), 'x');
  t.equal(line.global.truth('debug'), true);
  t.same(line.rest, ['--bundle', 'b', 'c']);
});

test('a flag may have one dash, as Go takes it', async (t) => {
  const given = parseFlags({ bundle: { type: 'string', short: 'b' } }, ['-bundle', 'x', 'id']);
  t.equal(given.text('bundle'), 'x');
  t.same(given.words, ['id']);
});

test('an unknown flag is refused', async (t) => {
  t.throws(() => splitCommandLine(['--frobnicate', 'create']), { message: /frobnicate/ });
});

test('signals come by name, with or without SIG, or by number', async (t) => {
  t.same(['TERM', 'SIGTERM', 'term', '15', '34'].map(signalNumber), [15, 15, 15, 15, 34]);
  t.throws(() => signalNumber('NONE'), { message: 'unknown signal NONE' });
  t.throws(() => signalNumber('65'), { message: 'unknown signal 65' });
});
