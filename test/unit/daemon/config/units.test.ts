import { test } from 'tap';
import { parseBoolean, parseInteger, parseSizeBytes } from '../../../../daemon/config/units.js';

test('sizes are powers of 1024 in any case and with any tail', async (t) => {
  const sizes: readonly (readonly [string, number | undefined])[] = [
    ['512', 512], ['20m', 20971520], ['1.5GiB', 1610612736], ['64MB', 67108864], ['10 k', 10240],
    ['x', undefined], ['-1', undefined], ['', undefined], ['1x', undefined],
    ['99999999t', undefined],
  ];
  for (const [text, sizeBytes] of sizes) t.equal(parseSizeBytes(text), sizeBytes, text);
});

test('booleans and integers are Go’s', async (t) => {
  t.equal(parseBoolean('T'), true);
  t.equal(parseBoolean('0'), false);
  t.equal(parseBoolean('yes'), undefined);
  t.equal(parseInteger('-7'), -7);
  t.equal(parseInteger('7.5'), undefined);
  t.equal(parseInteger('9007199254740993'), undefined);
});
