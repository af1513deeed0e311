import { test } from 'tap';
import { logAttributes } from '../../../../daemon/logs/attributes.js';
import { createLogs } from '../../../../daemon/logs/index.js';
import { checkLogConfig, logBounds } from '../../../../daemon/logs/options.js';

const logs = createLogs({
  containersRoot: '/c',
  logDriver: 'json-file',
  logOptions: { 'max-file': '2' },
});

const container = (config: { Type?: string; Config?: Record<string, string> }) =>
  ({
    id: 'abc',
    config: { Labels: { a: '1' }, Env: ['X=2', 'Y'] },
    hostConfig: { LogConfig: config },
  }) as const;

test('a log is bounded when nothing is said', async (t) => {
  t.same(logBounds({}), { maxSizeBytes: 20_000_000, maxFiles: 5 });
  t.same(logBounds({ 'max-size': '-1', 'max-file': '1' }), { maxSizeBytes: 0, maxFiles: 1 });
});

test('what is wrong is refused in Docker’s words', async (t) => {
  const wrong: readonly (readonly [string, Record<string, string>, string])[] = [
    ['nope', {}, "logger: no log driver named 'nope' is registered"],
    ['json-file', { foo: '1' }, "unknown log opt 'foo' for json-file log driver"],
    ['local', { tag: '1' }, "unknown log opt 'tag' for log driver local"],
    ['json-file', { 'max-size': 'x' }, "invalid size: 'x'"],
    ['json-file', { 'max-file': '0' }, 'max-file cannot be less than 1'],
    ['json-file', { 'mode': 'x' }, 'logger: logging mode not supported: x'],
    ['json-file', { 'max-buffer-size': '1m' },
      "logger: max-buffer-size option is only supported with 'mode=non-blocking'"],
  ];
  for (const [driver, options, message] of wrong) {
    t.throws(() => checkLogConfig(driver, options), { name: 'ApiError', message });
  }
});

test('a container inherits the daemon’s options only with the daemon’s driver', async (t) => {
  t.same(logs.configure(undefined), { Type: 'json-file', Config: { 'max-file': '2' } });
  t.same(logs.configure({ Type: 'json-file', Config: { 'max-size': '1k' } }).Config, {
    'max-file': '2',
    'max-size': '1k',
  });
  t.same(logs.configure({ Type: 'none' }), { Type: 'none', Config: {} });
});

test('a container without a log has no path and cannot be read', async (t) => {
  t.equal(logs.path(container({ Type: 'none' })), '');
  t.same(logs.settings(container({ Type: 'none' })), { kind: 'none' });
  const options = {
    stdout: true,
    stderr: true,
    timestamps: false,
    details: false,
    framing: 'raw',
    follow: false,
  } as const;
  t.throws(() => logs.read(container({ Type: 'none' }), options), {
    message: 'configured logging driver does not support reading',
  });
});

test('labels and environment that are asked for go with each line', async (t) => {
  t.match(logs.settings(container({ Config: { labels: 'a', env: 'X,Z' } })), {
    path: '/c/abc/abc-json.log',
    attrsJson: '{"a":"1","X":"2"}',
  });
  const about = { labels: { 'com.x': '1', y: '2' }, env: [] };
  t.same(logAttributes({ 'labels-regex': '^com' }, about), { 'com.x': '1' });
  t.equal(logAttributes({}, about), undefined);
});
