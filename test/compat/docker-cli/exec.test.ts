import { createHash } from 'node:crypto';
import { cliChecks, fails } from '../../support/cli-table.js';

const long = 'sixteen letters.'.repeat(65_537);
const sleeper = 'run -d --name @a IMG sleep 600';

cliChecks({
  'exec prints what the program prints': [[sleeper], ['exec @a echo hello', 'hello']],
  'exec keeps the two streams apart, and the status': [
    [sleeper],
    [`exec @a sh -c 'echo o; echo e >&2; exit 3'`, fails(3, 'e', 'o')],
  ],
  'exec -i passes standard input on': [[sleeper], ['exec -i @a cat', 'a\nb', 'a\nb\n']],
  'exec without -i has none': [[sleeper], ['exec @a cat', '', 'lost']],
  'exec -i gives what is long to the byte': [
    [sleeper],
    ['exec -i @a md5sum', `${createHash('md5').update(long).digest('hex')}  -`, long],
  ],
  'exec -t makes a terminal': [[sleeper], ['exec -t @a tty', /^\/dev\/pts\/\d+\r?$/]],
  'exec -e, -u, -w': [
    [sleeper],
    [
      `exec -e X=1 -u 1000:2000 -w /tmp @a sh -c 'echo $X $(id -u):$(id -g) $(pwd)'`,
      '1 1000:2000 /tmp',
    ],
  ],
  'exec -u takes a name': [[sleeper], ['exec -u user @a id -un', 'user']],
  'exec -u refuses an unknown name': [
    [sleeper],
    [
      'exec -u nobody-here @a true',
      fails(126, '', /unable to find user nobody-here: no matching entries in passwd file/),
    ],
  ],
  'exec has the container’s environment': [
    ['run -d --name @a -e OURS=1 -w /tmp IMG sleep 600'],
    [`exec @a sh -c 'echo $OURS $(pwd)'`, '1 /tmp'],
  ],
  'exec runs as the container’s user': [
    ['run -d --name @a -u 1000 IMG sleep 600'],
    ['exec @a id -u', '1000'],
  ],
  'exec --privileged has all capabilities': [
    [sleeper],
    ['exec @a grep CapEff /proc/self/status', 'CapEff:\t00000000a80425fb'],
    ['exec --privileged @a grep CapEff /proc/self/status', /^CapEff:\t000001ff[0-9a-f]{8}$/],
  ],
  'exec -d runs it beside': [
    [sleeper],
    [`exec -d @a sh -c 'echo done > /tmp/x'`, ''],
    ['~ exec @a cat /tmp/x', 'done'],
  ],
  'exec of a program that does not exist fails, and says so on standard output': [
    [sleeper],
    [
      'exec @a no-such-program',
      fails(126, '', /exec: "no-such-program": executable file not found in \$PATH/),
    ],
  ],
  'exec of a directory ends with 126': [
    [sleeper],
    ['exec @a /etc', fails(126, '', /exec: "\/etc": (is a directory|permission denied)/)],
  ],
  'exec of a file without the x bit ends with 126': [
    [sleeper],
    ['exec @a /etc/passwd', fails(126, '', /exec: "\/etc\/passwd": permission denied/)],
  ],
  'exec makes the folder that it works in': [
    [sleeper],
    [
      'exec -w /no/such @a pwd',
      fails(126, '', /chdir to cwd \("\/no\/such"\).*no such file or directory/),
    ],
  ],
  'exec ends with 128+n after a signal': [[sleeper], [`exec @a sh -c 'kill -9 $$'`, fails(137)]],
  'exec refuses a stopped container': [
    ['create --name @a IMG'],
    ['exec @a true', fails(1, /[Cc]ontainer [0-9a-f]{64} is not running/)],
  ],
  'exec refuses a container that does not exist': [
    ['exec @a true', fails(1, /No such container: @a/)],
  ],
  'exec ends when the container is killed': [
    [sleeper],
    ['& exec @a sleep 600', fails(137)],
    ['~ top @a -o pid,args', /sleep 600[^]*sleep 600/],
    ['kill @a'],
  ],
  'exec sees the container’s namespaces and files': [
    ['run -d --name @a -h inside -v @v:/data IMG sleep 600'],
    [`exec @a sh -c 'hostname; echo x > /data/f'`, 'inside'],
    ['run --rm -v @v:/data IMG cat /data/f', 'x'],
  ],
  'exec is listed by inspect while it runs': [
    [sleeper],
    ['exec -d @a sleep 300'],
    [`inspect -f '{{len .ExecIDs}}' @a`, '1'],
  ],
  'exec -it ends a shell at the end of its input': [
    [sleeper],
    ['exec -i @a sh', 'one\ntwo', 'echo one\necho two\n'],
  ],
});
