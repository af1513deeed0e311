import { cliChecks, fails } from '../../support/cli-table.js';

const sleeper = 'run -d --name @a IMG sleep 600';
const idPattern = /^[0-9a-f]{64}$/;
/** It obeys SIGTERM and ends with 7. */
const polite =
  `run -d --name @a IMG sh -c 'trap "exit 7" TERM; echo up; while :; do sleep 0.1; done'`;
const isUp = ['~ logs @a', 'up'] as const;
const noSuch = /No such container: @a/;

cliChecks({
  'create prints the id and starts nothing': [
    ['create --name @a IMG', idPattern],
    [
      `inspect -f '{{.State.Status}} {{.State.StartedAt}} {{.State.Pid}}' @a`,
      'created 0001-01-01T00:00:00Z 0',
    ],
  ],
  'create makes up a name of two words': [
    ['create --label @l IMG', idPattern],
    ['ps -a --filter label=@l --format {{.Names}}', /^[a-z]+_[a-z]+$/],
    ['rm @none', fails(1, /No such container: @none/)],
    [
      'container prune -f --filter label=@l',
      /Deleted Containers:\n[0-9a-f]{64}\n\nTotal reclaimed space: 0B/,
    ],
  ],
  'start prints the name that was given': [
    ['create --name @a IMG sleep 600'],
    ['start @a', '@a'],
    ['start @a', '@a'],
    [`inspect -f '{{.State.Running}}' @a`, 'true'],
  ],
  'start -a shows the output and ends as the program does': [
    [`create --name @a IMG sh -c 'echo out; exit 5'`],
    ['start -a @a', fails(5, '', 'out')],
  ],
  'start -ai passes standard input on': [
    ['create -i --name @a IMG cat'],
    ['start -ai @a', 'typed', 'typed\n'],
  ],
  'start refuses what does not exist': [
    ['start @a', fails(1, /No such container: @a/)],
  ],
  'start of a missing program tells of it, and keeps the container': [
    ['create --name @a IMG no-such-program'],
    ['start @a', fails(1, /exec: "no-such-program": executable file not found in \$PATH/)],
    [`inspect -f '{{.State.Status}} {{.State.ExitCode}}' @a`, 'created 127'],
  ],
  'start refuses a host port that is taken': [
    ['run -d --name @a -p 127.0.0.1::80 IMG sleep 600'],
    ['create --name @b --network container:@a IMG true'],
    ['start @b', '@b'],
  ],
  'stop sends SIGTERM': [
    [polite],
    [...isUp],
    ['stop @a', '@a'],
    [`inspect -f '{{.State.Status}} {{.State.ExitCode}}' @a`, 'exited 7'],
  ],
  'stop -t 0 and -t 1 kill what does not obey': [
    [sleeper],
    ['stop -t 1 @a', '@a'],
    [`inspect -f '{{.State.ExitCode}}' @a`, '137'],
    ['start @a'],
    ['stop -t 0 @a', '@a'],
  ],
  'stop --signal sends another one': [
    [`run -d --name @a IMG sh -c 'trap "exit 9" USR1; echo up; while :; do sleep 0.1; done'`],
    [...isUp],
    ['stop --signal USR1 @a', '@a'],
    ['wait @a', '9'],
  ],
  'stop of a stopped one is no error': [['create --name @a IMG'], ['stop @a', '@a']],
  'stop of several tells of the one that is missing': [
    ['create --name @a IMG'],
    ['stop @a @b', fails(1, /No such container: @b/, '@a')],
  ],
  'restart starts it again': [
    ['run --name @a IMG echo once', 'once'],
    ['restart @a', '@a'],
    ['~ logs @a', 'once\nonce'],
  ],
  'restart -t 0 kills first': [
    [sleeper],
    ['restart -t 0 @a', '@a'],
    [`inspect -f '{{.State.Running}} {{.RestartCount}}' @a`, 'true 0'],
  ],
  'kill sends SIGKILL': [
    [sleeper],
    ['kill @a', '@a'],
    ['wait @a', '137'],
    [`inspect -f '{{.State.ExitCode}} {{.State.OOMKilled}}' @a`, '137 false'],
  ],
  'kill -s takes a name or a number': [
    [polite],
    [...isUp],
    ['kill -s 15 @a', '@a'],
    ['wait @a', '7'],
  ],
  'kill refuses a stopped one': [
    ['create --name @a IMG'],
    ['kill @a', fails(1, /container [0-9a-f]{64} is not running/)],
  ],
  'kill refuses an unknown signal': [
    [sleeper],
    ['kill -s NOSUCH @a', fails(1, /[Ii]nvalid signal: NOSUCH/)],
  ],
  'rm removes, and refuses a running one': [
    [sleeper],
    ['rm @a', fails(1, /container is running: stop the container before removing or force remove/)],
    ['rm -f @a', '@a'],
    ['rm @a', fails(1, noSuch)],
  ],
  'rm -f of a missing one is no error': [
    ['rm -f @a', { code: 0, out: '', err: noSuch }],
  ],
  'rm -v removes anonymous volumes only': [
    ['create --name @a -v /anonymous -v @v:/named IMG'],
    ['rm -v @a', '@a'],
    ['volume ls -q --filter name=@v', '@v'],
  ],
  'wait prints each status': [
    ['run -d --name @a IMG false'],
    ['run -d --name @b IMG true'],
    ['wait @a @b', '1\n0'],
  ],
  'wait waits': [
    [sleeper],
    ['& wait @a', '137'],
    ['kill @a'],
  ],
  'pause and unpause': [
    [sleeper],
    ['pause @a', '@a'],
    ['ps --filter name=@a --format {{.Status}}', /\(Paused\)$/],
    ['pause @a', fails(1, /[Cc]ontainer [0-9a-f]{64} is already paused/)],
    ['exec @a true', fails(1, /[Cc]ontainer @a is paused, unpause the container before exec/)],
    ['unpause @a', '@a'],
    ['unpause @a', fails(1, /[Cc]ontainer [0-9a-f]{64} is not paused/)],
  ],
  'pause refuses a stopped one': [
    ['create --name @a IMG'],
    ['pause @a', fails(1, /[Cc]ontainer [0-9a-f]{64} is not running/)],
  ],
  'stop ends a paused one': [
    [sleeper],
    ['pause @a'],
    ['rm -f @a', '@a'],
  ],
  'rename renames': [
    ['create --name @a IMG'],
    ['rename @a @b', ''],
    [`inspect -f '{{.Name}}' @b`, '/@b'],
    ['inspect @a', fails(1, /No such object: @a/)],
  ],
  'rename refuses a name in use, and the same name': [
    ['create --name @a IMG'],
    ['create --name @b IMG'],
    ['rename @a @b', fails(1, /name "\/@b" is already in use by container/)],
    ['rename @a @a', fails(1, /Renaming a container with the same name as its current name/)],
  ],
  'rename of a running one is seen on its network': [
    ['network create @n'],
    ['run -d --name @a --network @n IMG sleep 600'],
    ['rename @a @b'],
    ['run --rm --network @n IMG ping -c 1 -W 2 @b', /1 packets received|1 received/],
  ],
  'update changes limits of a running one': [
    ['run -d --name @a -m 64m IMG sleep 600'],
    ['update -m 96m --memory-swap 128m --pids-limit 77 @a', '@a'],
    [
      `inspect -f '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}' @a`, '100663296 77',
    ],
  ],
  'update --restart changes the policy': [
    [sleeper],
    ['update --restart on-failure:3 @a', '@a'],
    [
      `inspect -f '{{.HostConfig.RestartPolicy.Name}} ` +
        `{{.HostConfig.RestartPolicy.MaximumRetryCount}}' @a`,
      'on-failure 3',
    ],
  ],
  'update refuses a restart policy beside --rm': [
    ['run -d --rm --name @a IMG sleep 600'],
    [
      'update --restart always @a',
      fails(1, /Restart policy cannot be updated because AutoRemove is enabled for the container/),
    ],
  ],
  'top shows the processes': [
    [sleeper],
    ['top @a', /^UID +PID .*CMD\n.*sleep 600$/],
    ['top @a -o pid,comm', /^PID +COMMAND\n\d+ +sleep$/],
  ],
  'top refuses a stopped one': [
    ['create --name @a IMG'],
    ['top @a', fails(1, /[Cc]ontainer [0-9a-f]{64} is not running/)],
  ],
  'port lists, picks and refuses': [
    ['run -d --name @a -p 127.0.0.1::80 -p 127.0.0.1::53/udp IMG sleep 600'],
    ['port @a', /^53\/udp -> 127\.0\.0\.1:\d+\n80\/tcp -> 127\.0\.0\.1:\d+$/],
    ['port @a 80/tcp', /^127\.0\.0\.1:\d+$/],
    ['port @a 53/udp', /^127\.0\.0\.1:\d+$/],
    ['port @a 81', fails(1, /no public port '81(\/tcp)?' published for @a/i)],
  ],
  'stats shows one line each': [
    [sleeper],
    [
      `stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}} {{.CPUPerc}}' @a`,
      /^@a 1 [\d.]+[kMKi]*B \/ [\d.]+[GM]iB [\d.]+%$/,
    ],
  ],
  'stats shows the limit that is set': [
    ['run -d --name @a -m 48m IMG sleep 600'],
    [`stats --no-stream --format '{{.MemUsage}}' @a`, /\/ 48MiB$/],
  ],
  'stats of a missing one fails': [['stats --no-stream @a', fails(1, noSuch)]],
  'attach shows what comes, and ends with it': [
    [`run -d --name @a IMG sh -c 'while ! test -e /go; do sleep 0.1; done; echo late; exit 4'`],
    ['& attach --no-stdin @a', fails(4, '', 'late')],
    ['exec @a sleep 0.5'],
    ['exec @a touch /go'],
  ],
  'attach refuses a stopped one': [
    ['create --name @a IMG'],
    ['attach @a', fails(1, /You cannot attach to a stopped container, start it first/i)],
  ],
  'attach refuses a paused one': [
    [sleeper],
    ['pause @a'],
    ['attach @a', fails(1, /You cannot attach to a paused container, unpause it first/i)],
    ['unpause @a'],
  ],
  'container prune takes what has stopped, by label': [
    ['run --name @a -l @l IMG true'],
    ['run -d --name @b -l @l IMG sleep 600'],
    [
      'container prune -f --filter label=@l',
      /^Deleted Containers:\n[0-9a-f]{64}\n\nTotal reclaimed/,
    ],
    ['ps -a --filter label=@l --format {{.Names}}', '@b'],
  ],
});
