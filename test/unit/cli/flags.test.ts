import { test } from 'tap';
import { UsageError } from '../../../cli/errors.js';
import { flag, parseLine, type Flag } from '../../../cli/flags.js';

const flags: readonly Flag[] = [
  flag('switch', 'tty', '', { short: 't' }),
  flag('switch', 'interactive', '', { short: 'i' }),
  flag('switch', 'sig-proxy', '', { otherwise: 'true' }),
  flag('list', 'env', '', { short: 'e' }),
  flag('strings', 'alias', ''),
  flag('integer', 'timeout', '', { short: 't' }),
  flag('size', 'memory', '', { short: 'm' }),
  flag('duration', 'interval', ''),
  flag('text', 'name', ''),
];

const parse = (words: readonly string[], interspersed = true): ReturnType<typeof parseLine> =>
  parseLine({ flags, interspersed }, words);

test('short switches may be joined, the last may take a value', async (t) => {
  const { flags: given, operands } = parse(['-ite', 'A=1', '-eB=2', 'image']);
  t.equal(given.switch('tty'), true);
  t.equal(given.switch('interactive'), true);
  t.same(given.list('env'), ['A=1', 'B=2']);
  t.same(operands, ['image']);
});

test('flags after the first operand belong to the container', async (t) => {
  const { flags: given, operands } = parse(['-i', 'image', 'sh', '-t', '--', '-x'], false);
  t.equal(given.switch('tty'), false);
  t.same(operands, ['image', 'sh', '-t', '--', '-x']);
});

test('flags are found behind operands where a command allows it', async (t) => {
  t.equal(parse(['c', '--name', 'x']).flags.text('name'), 'x');
  t.same(parse(['c', '--', '--name']).operands, ['c', '--name']);
});

test('a switch takes a value only behind an equals sign', async (t) => {
  t.equal(parse([]).flags.switch('sig-proxy'), true);
  t.equal(parse(['--sig-proxy=false']).flags.switch('sig-proxy'), false);
  t.same(parse(['--sig-proxy', 'false']).operands, ['false']);
});

test('sizes are binary and durations are nanoseconds', async (t) => {
  t.equal(parse(['-m', '1.5g']).flags.number('memory'), 1.5 * 1024 ** 3);
  t.equal(parse(['-m', '512MiB']).flags.number('memory'), 512 * 1024 ** 2);
  t.equal(parse(['-m=-1']).flags.number('memory'), -1);
  t.equal(parse(['--interval', '1m30.5s']).flags.number('interval'), 90.5e9);
});

test('comma-separated values become a list only where the flag says so', async (t) => {
  t.same(parse(['--alias', 'a,b', '--alias', 'c']).flags.list('alias'), ['a', 'b', 'c']);
  t.same(parse(['-e', 'A=1,2']).flags.list('env'), ['A=1,2']);
});

test('what is wrong is told in the words of pflag', async (t) => {
  const wrong: readonly (readonly [readonly string[], string])[] = [
    [['--foo'], 'unknown flag: --foo'],
    [['-x'], "unknown shorthand flag: 'x' in -x"],
    [['--name'], 'flag needs an argument: --name'],
    [['-e'], "flag needs an argument: 'e' in -e"],
    [['-m', 'abc'], 'invalid argument "abc" for "-m, --memory" flag: invalid size: \'abc\''],
    [['--interval', '5'], 'invalid argument "5" for "--interval" flag: time: invalid duration "5"'],
    [
      ['--tty=x'],
      'invalid argument "x" for "-t, --tty" flag: strconv.ParseBool: parsing "x": invalid syntax',
    ],
  ];
  for (const [words, message] of wrong) {
    t.throws(() => parse(words), new UsageError(message), words.join(' '));
  }
});
