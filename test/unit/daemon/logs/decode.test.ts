import { test } from 'tap';
import type { DecodeOptions } from '../../../../daemon/logs/decode.js';
import { LogDecoder } from '../../../../daemon/logs/decode.js';
import { logEntries } from '../../../support/log-frames.js';

const time = '2026-11-23T13:53:55.341639368Z';

interface Line {
  readonly log: string;
  readonly stream?: string;
  readonly attrs?: Readonly<Record<string, string>>;
  readonly time?: string;
}

const jsonLine = (line: Line): string => {
  const { log, stream = 'stdout', attrs, time: at = time } = line;
  const optional = attrs === undefined ? {} : { attrs };
  return `${JSON.stringify({ log, stream, ...optional, time: at })}\n`;
};

const everything: DecodeOptions = {
  stdout: true, stderr: true, timestamps: false, details: false, framing: 'raw',
};

const decoded = (text: string, options: Partial<DecodeOptions> = {}): string =>
  new LogDecoder({ ...everything, ...options }).decode(Buffer.from(text)).toString();

test('every character that JSON can hold comes back as it was', async (t) => {
  const texts = [
    'plain\n', 'quote " slash \\ tab \t\n', 'äöü €\n', '😀\n', '\u0000\u001b[31m\u007f\n', '',
    '\u2028\r\n',
  ];
  for (const log of texts) {
    t.equal(decoded(jsonLine({ log })), log);
    const ascii = jsonLine({ log }).replace(/[\u0080-\uffff]/g, (unit) =>
      `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
    t.equal(decoded(ascii), log, ascii);
  }
});

test('half of a surrogate pair is the replacement character, as in Go', async (t) => {
  t.equal(decoded(`{"log":"a\\ud83dz\\n","stream":"stdout","time":"${time}"}\n`), 'a\ufffdz\n');
});

test('frames carry the stream and the length', async (t) => {
  const text = jsonLine({ log: 'one\n' }) + jsonLine({ log: 'two\n', stream: 'stderr' });
  const frames = new LogDecoder({ ...everything, framing: 'stdcopy' }).decode(Buffer.from(text));
  t.equal(frames.toString('latin1'), '\x01\0\0\0\0\0\0\x04one\n\x02\0\0\0\0\0\0\x04two\n');
  t.same(logEntries(frames).map((entry) => [entry.stream, Buffer.from(entry.bytes).toString()]), [
    ['stdout', 'one\n'],
    ['stderr', 'two\n'],
  ]);
});

test('timestamps have nine digits even where the file has fewer', async (t) => {
  for (const [stored, shown] of [
    ['.5Z', '.500000000Z'],
    ['Z', '.000000000Z'],
    ['.123456789Z', '.123456789Z'],
  ]) {
    const line = jsonLine({ log: 'x\n', time: `2026-01-02T03:04:05${stored}` });
    t.equal(decoded(line, { timestamps: true }), `2026-01-02T03:04:05${shown} x\n`);
  }
});

test('since keeps the line of that very moment, until as well', async (t) => {
  const lines = ['1', '2', '3']
    .map((n) => jsonLine({ log: n, time: `2026-01-01T00:00:0${n}Z` }))
    .join('');
  const nano = (second: number): bigint => BigInt(Date.UTC(2026, 0, 1, 0, 0, second)) * 1_000_000n;
  t.equal(decoded(lines, { sinceNano: nano(2) }), '23');
  t.equal(decoded(lines, { sinceNano: nano(2) + 1n }), '3');
  t.equal(decoded(lines, { untilNano: nano(2) }), '12');
  t.equal(decoded(lines, { untilNano: nano(2) - 1n }), '1');
});

test('a line after until ends the reading', async (t) => {
  const decoder = new LogDecoder({ ...everything, untilNano: 5n });
  decoder.decode(Buffer.from(jsonLine({ log: 'x' })));
  t.equal(decoder.finished, true);
});

test('only the streams that are asked for come', async (t) => {
  const text = jsonLine({ log: 'o' }) + jsonLine({ log: 'e', stream: 'stderr' });
  t.equal(decoded(text, { stderr: false }), 'o');
  t.equal(decoded(text, { stdout: false }), 'e');
});

test('details are the attributes by key, escaped as Go does', async (t) => {
  const line = jsonLine({ log: 'x\n', attrs: { b: 'a b', X: '1,ü' } });
  t.equal(decoded(line, { details: true }), 'X=1%2C%C3%BC,b=a+b x\n');
  t.equal(decoded(jsonLine({ log: 'x\n' }), { details: true }), ' x\n');
});

test('attributes do not disturb a line that does not show them', async (t) => {
  const attrs = { time: '2020-01-01T00:00:00.000000000Z', x: ',"time":"' };
  t.equal(decoded(jsonLine({ log: 'x\n', attrs }), { timestamps: true }), `${time} x\n`);
});

test('keys in another order are understood', async (t) => {
  t.equal(decoded(`{"time":"${time}","stream":"stderr","log":"x\\n"}\n`), 'x\n');
});

test('a torn line is dropped and costs no other', async (t) => {
  for (const torn of [
    '{"log":"abc', '{"log":"\\u00', '{"log":"x","stream":"std', '\0\0\0', '{}', '{"log":"é\\',
  ]) {
    const [one, two, three] = ['1', '2', '3'].map((log) => jsonLine({ log }));
    const text = `${one}${torn}${two}${three}`;
    t.equal(decoded(text, { framing: 'raw' }), '123', torn);
    t.equal(decoded(`${jsonLine({ log: '1' })}${torn}\n`, { timestamps: true }), `${time} 1`, torn);
  }
});

test('many lines of all kinds in one chunk keep their order', async (t) => {
  const lines = Array.from({ length: 2000 }, (_, n) =>
    jsonLine({ log: `${n} ${'ä"'.repeat(n % 50)}\n` }),
  );
  const mixed = lines.map((line, n) => (n % 7 === 0 ? line.replace('{"log"', '{ "log"') : line));
  t.equal(decoded(mixed.join('')), decoded(lines.join('')));
});
