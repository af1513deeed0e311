import { test } from 'tap';
import { logAttributes } from '../../../../daemon/logs/attributes.js';
import { createLogs } from '../../../../daemon/logs/index.js';
import { checkLogConfig, logBounds } from '../../../../daemon/logs/options.js';

const logs = createLogs({
  containersRoot: '/c',
  logDriver: 'json-file',
  logOptions: { 'max-file': '2' },
  warn: () => undefined,
});

const container = (LogConfig: { Type?: string; Config?: Record<string, string> }) => ({
  id: 'abcdefabcdef0123',
  name: 'box',
  imageId: 'sha256:0123456789abcdef',
  imageName: 'app:1',
  path: '/bin/run',
  args: ['-x'],
  config: { Labels: { a: '1', 'com.x': '2' }, Env: ['X=2', 'Y'] },
  hostConfig: { LogConfig },
});

test('a log is bounded when nothing is said', async (t) => {
  const usual = { maxSizeBytes: 20_000_000, maxFiles: 5 };
  t.same(logBounds('json-file', {}), { ...usual, compress: false });
  t.same(logBounds('local', {}), { ...usual, compress: true });
  t.same(logBounds('json-file', { 'max-size': '-1', 'max-file': '1' }), {
    maxSizeBytes: 0, maxFiles: 1, compress: false,
  });
});

test('what is wrong is refused in Docker’s words', async (t) => {
  const wrong: readonly (readonly [string, Record<string, string>, string])[] = [
    ['nope', {}, "logger: no log driver named 'nope' is registered"],
    ['json-file', { foo: '1' }, "unknown log opt 'foo' for json-file log driver"],
    ['local', { tag: '1' }, "unknown log opt 'tag' for log driver local"],
    ['json-file', { 'max-size': 'x' }, "invalid size: 'x'"],
    ['json-file', { 'max-size': '0' }, 'max-size must be a positive number'],
    ['json-file', { 'max-file': '0' }, 'max-file cannot be less than 1'],
    ['json-file', { 'max-file': 'x' }, 'strconv.Atoi: parsing "x": invalid syntax'],
    ['json-file', { compress: 'x' }, 'strconv.ParseBool: parsing "x": invalid syntax'],
    ['json-file', { compress: 'true', 'max-file': '1' },
      'compress cannot be true when max-file is less than 2 or max-size is not set'],
    ['json-file', { 'env-regex': '[' }, 'error parsing regexp: missing closing ]: `[`'],
    ['json-file', { tag: '{{.Foo}}' },
      'template: log-tag:1:2: executing "log-tag" at <.Foo>: ' +
        "can't evaluate field Foo in type *logger.Info"],
    ['json-file', { 'cache-disabled': 'x' }, 'invalid value for option cache-disabled: x'],
    ['local', { 'max-size': 'x' }, "invalid value for max-size: x: invalid size: 'x'"],
    ['local', { 'max-file': '1' }, 'compression cannot be enabled when max file count is 1'],
    ['local', { compress: 'x' },
      'error reading compress log option: strconv.ParseBool: parsing "x": invalid syntax'],
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
    path: '/c/abcdefabcdef0123/abcdefabcdef0123-json.log',
    attrsJson: '{"a":"1","X":"2"}',
  });
  t.same(logAttributes({ 'labels-regex': '^com' }, container({})), { 'com.x': '2' });
  t.equal(logAttributes({}, container({})), undefined);
});

test('a tag is a template over the container', async (t) => {
  for (const [template, tag] of [
    ['{{.Name}}/{{ .ID }}', 'box/abcdefabcdef'],
    ['{{.ImageName}} {{.ImageID}}', 'app:1 0123456789ab'],
    ['{{.Command}}|{{index .ContainerLabels "a"}}', '/bin/run -x|1'],
    ['plain', 'plain'],
  ] as const) {
    t.same(logAttributes({ tag: template }, container({})), { tag });
  }
});
