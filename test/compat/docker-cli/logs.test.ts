import { cliChecks, fails } from '../../support/cli-table.js';

const two = `run --name @a IMG sh -c 'echo o; echo e >&2'`;
const lines = 'run --name @a IMG seq 5';
const stamp = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{9}Z';

cliChecks({
  'logs keep the two streams apart': [
    [two, { code: 0, out: 'o', err: 'e' }],
    ['logs @a', { code: 0, out: 'o', err: 'e' }],
  ],
  'logs -n shows the last ones': [
    [lines],
    ['logs -n 2 @a', '4\n5'],
    ['logs --tail 0 @a', ''],
    ['logs --tail all @a', '1\n2\n3\n4\n5'],
  ],
  'logs -t has nine digits': [
    ['run --name @a IMG echo x'],
    ['logs -t @a', new RegExp(`^${stamp} x$`)],
  ],
  'logs --since and --until': [
    [lines],
    ['logs --since 2100-01-01T00:00:00Z @a', ''],
    ['logs --since 10m @a', '1\n2\n3\n4\n5'],
    ['logs --until 10m @a', ''],
  ],
  'logs --details shows the labels that were asked for': [
    ['run --name @a -l a=1 -e B=2 --log-opt labels=a --log-opt env=B IMG echo x'],
    ['logs --details @a', 'B=2,a=1 x'],
  ],
  'logs -f ends with the container': [
    [`run -d --name @a IMG sh -c 'for i in 1 2 3; do echo $i; sleep 0.1; done'`],
    ['logs -f @a', '1\n2\n3'],
  ],
  'logs -f -n follows from there': [
    [`run -d --name @a IMG sh -c 'seq 9; while ! test -e /go; do sleep 0.1; done; echo end'`],
    ['~ logs -n 1 @a', '9'],
    ['& logs -f -n 1 @a', '9\nend'],
    ['exec @a sleep 0.4'],
    ['exec @a touch /go'],
  ],
  'logs of a terminal are one stream': [
    ['run -t --name @a IMG echo x'],
    ['logs @a', /^x\r?$/],
  ],
  'logs of one that never ran are empty': [['create --name @a IMG'], ['logs @a', '']],
  'logs of a missing one fail': [['logs @a', fails(1, /No such container: @a/)]],
  'logs keep a line without its end': [['run --name @a IMG printf x'], ['logs @a', 'x']],
  'logs keep a line longer than 16 KiB': [
    [`run --name @a IMG sh -c 'head -c 40000 /dev/zero | tr "\\0" x'`],
    ['logs @a', /^x{40000}$/],
  ],
  'logs go on after a restart': [
    ['run --name @a IMG echo once'],
    ['start -a @a', 'once'],
    ['logs @a', 'once\nonce'],
  ],
  'logs of json-file rotate': [
    [
      `run --name @a --log-opt max-size=1k --log-opt max-file=2 IMG sh -c 'seq 1000 1300'`,
      /^1000\n/,
    ],
    ['logs --tail 1 @a', '1300'],
    ['logs @a', /^(?!1000)[^]*1300$/],
  ],
  'create refuses an option of json-file that does not exist': [
    [
      'create --name @a --log-opt nope=1 IMG',
      fails(1, /unknown log opt 'nope' for json-file log driver/),
    ],
  ],
  'create refuses a bad max-size': [
    [
      'run --name @a --log-opt max-size=x IMG',
      fails(125, /invalid (size: 'x'|value for max-size)/),
    ],
  ],
  'local keeps logs as well': [
    ['run --name @a --log-driver local IMG echo x'],
    ['logs -t @a', new RegExp(`^${stamp} x$`)],
    [`inspect -f '{{.HostConfig.LogConfig.Type}} {{.LogPath}}' @a`, 'local'],
  ],
  'none keeps none, and says so': [
    ['run --name @a --log-driver none IMG echo x', 'x'],
    ['logs @a', fails(1, /configured logging driver does not support reading/)],
  ],
  'an unknown log driver is refused': [
    ['create --name @a --log-driver asdf IMG', fails(1, /asdf/)],
  ],
});
