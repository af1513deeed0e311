import { test } from 'tap';
import { invalidParameter } from '../../../api-spec/errors.js';
import { compileFilters, type FilterWorld } from '../../../daemon/containers/filters.js';

/** Filters by ports ask nobody else. */
const world = {} as FilterWorld;

test('what is no port, or range of ports, is told as Docker tells it', (t) => {
  const number = (text: string, why: string): string =>
    `strconv.ParseUint: parsing "${text}": ${why}`;
  const wrong: readonly (readonly [string, string])[] = [
    ['1-x-4', number('x', 'invalid syntax')],
    ['-5', number('', 'invalid syntax')],
    ['5-', number('', 'invalid syntax')],
    ['x/tcp', number('x', 'invalid syntax')],
    ['1-70000', number('70000', 'value out of range')],
    ['', 'Empty string specified for ports.'],
    ['/tcp', 'Empty string specified for ports.'],
    ['9-3/udp', 'Invalid range specified for the Port: 9-3'],
  ];
  for (const name of ['publish', 'expose']) {
    for (const [value, why] of wrong) {
      t.throws(
        () => compileFilters({ [name]: [value] }, world),
        invalidParameter(`error while looking up for ${name} ${value}: ${why}`), value);
    }
    t.throws(
      () => compileFilters({ [name]: ['80:90'] }, world),
      invalidParameter(`filter for '${name}' should not contain ':': 80:90`));
    for (const value of ['80', '80/', '80/udp/x', '1-3-x', '00080', '65535']) {
      t.doesNotThrow(() => compileFilters({ [name]: [value] }, world), value);
    }
  }
  t.end();
});
