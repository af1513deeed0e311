import { cliChecks, fails } from '../../support/cli-table.js';

cliChecks({
  'run prints what the program prints': [['run --rm IMG echo hello', 'hello']],
  'run keeps the two streams apart, and the status': [
    [`run --rm IMG sh -c 'echo o; echo e >&2; exit 3'`, fails(3, 'e', 'o')],
  ],
  'run without a command takes the image’s': [
    ['run --rm -i IMG', 'from stdin', 'echo from stdin'],
  ],
  'run -i passes standard input on': [['run --rm -i IMG cat', 'a\nb', 'a\nb\n']],
  'run without -i has none': [['run --rm IMG cat', '', 'lost']],
  'run -t makes a terminal': [['run --rm -t IMG tty', /^\/dev\/pts\/0\r?$/]],
  'run of a program that does not exist ends with 127': [
    ['run --rm IMG no-such-program', fails(127, /executable file not found in \$PATH/)],
  ],
  'run of an absolute path that does not exist ends with 127': [
    ['run --rm IMG /no/such', fails(127, /\/no\/such.*no such file or directory/)],
  ],
  'run of a directory ends with 126': [['run --rm IMG /etc', fails(126, /permission denied/)]],
  'run of a file without the x bit ends with 126': [
    ['run --rm IMG /etc/passwd', fails(126, /\/etc\/passwd.*permission denied/)],
  ],
  'run ends with 128+n after a signal': [
    ['& run --rm --name @a IMG sleep 60', fails(137)],
    ['~ kill @a', '@a'],
    [`& run --rm --name @b --init IMG sleep 60`, fails(143)],
    ['~ kill -s TERM @b', '@b'],
  ],
  'run refuses what the engine refuses with 125': [
    ['run --rm --memory 1m IMG true', fails(125, /Minimum memory limit allowed is 6MB/)],
  ],
  'run refuses an unknown image with 125': [
    ['run --rm --pull never no-such-image-here', fails(125, /No such image: no-such-image-here:/)],
  ],
  'run refuses an unknown network with 125': [
    ['run --name @a --network no-such-net IMG true', fails(125, /network no-such-net not found/)],
  ],
  'run refuses a name in use': [
    ['create --name @a IMG', /^[0-9a-f]{64}$/],
    [
      'run --name @a IMG',
      fails(
        125,
        /Conflict. The container name "\/@a" is already in use by container "[0-9a-f]{64}"/,
      ),
    ],
  ],
  'run refuses a bad name': [['run --name ?x IMG', fails(125, /Invalid container name \(\?x\)/)]],
  'run refuses a relative host folder': [
    ['run --rm -v a/b:/x IMG', fails(125, /includes invalid characters for a local volume name/)],
  ],
  'run refuses a mount point twice': [
    ['run --rm -v @v:/x -v @w:/x IMG', fails(125, /Duplicate mount point: \/x/)],
  ],
  'run -d prints the id': [
    ['run -d --name @a IMG sleep 60', /^[0-9a-f]{64}$/],
    [`inspect -f '{{.State.Running}} {{.Name}}' @a`, 'true /@a'],
  ],
  'run --rm leaves nothing, volumes included': [
    ['run --rm --name @a -v /data --mount type=volume,src=@v,dst=/kept IMG true', ''],
    ['~ ps -aq --filter name=@a', ''],
    ['volume ls -q --filter name=@v', '@v'],
  ],
  'run -e sets, --env-file reads, the last one wins': [
    [`run --rm -e A=1 -e B=2 -e A=3 IMG sh -c 'echo $A$B'`, '32'],
  ],
  'run -e without a value takes nothing from nowhere': [
    [`run --rm -e NOT_SET IMG sh -c 'echo \${NOT_SET-unset}'`, 'unset'],
  ],
  'run sets PATH, HOSTNAME and HOME': [
    [
      `run --rm -h box IMG sh -c 'echo $PATH $HOSTNAME $HOME'`,
      '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin box /root',
    ],
  ],
  'run -t sets TERM': [[`run --rm -t IMG sh -c 'echo $TERM'`, /^xterm/]],
  'run -u takes numbers': [[`run --rm -u 1000:2000 IMG sh -c 'id -u; id -g'`, '1000\n2000']],
  'run -u takes a name, and its groups': [
    [`run --rm -u user IMG id`, /^uid=1000\(user\).*2000\(extra\)/],
  ],
  'run -u refuses an unknown name': [
    ['run --rm -u nobody-here IMG true', fails(125, /unable to find user nobody-here/)],
  ],
  'run --group-add adds groups': [
    ['run --rm -u 1000:1000 --group-add 2000 --group-add 7 IMG id -G', '1000 7 2000'],
  ],
  'run -w makes the folder': [['run --rm -w /made/up IMG pwd', '/made/up']],
  'run -h and --domainname name the host': [
    [
      `run --rm -h box --domainname example.org IMG sh -c 'hostname; cat /etc/hosts'`,
      /^box\n[^]*box\.example\.org box/,
    ],
  ],
  'run --add-host writes /etc/hosts': [
    ['run --rm --add-host db:10.1.2.3 IMG cat /etc/hosts', /10\.1\.2\.3\tdb/],
  ],
  'run --add-host knows host-gateway': [
    ['run --rm --add-host h:host-gateway IMG cat /etc/hosts', /^\d+\.\d+\.\d+\.\d+\th$/m],
  ],
  'run --dns, --dns-search and --dns-option write resolv.conf': [
    [
      'run --rm --dns 10.9.8.7 --dns-search x.org --dns-option ndots:3 IMG cat /etc/resolv.conf',
      /^(?=[^]*^nameserver 10\.9\.8\.7$)(?=[^]*^search x\.org$)[^]*^options ndots:3$/m,
    ],
  ],
  'run --read-only refuses to write, but for --tmpfs': [
    [
      `run --rm --read-only --tmpfs /t IMG sh -c 'touch /t/x && echo y; touch /x'`,
      fails(1, /Read-only file system/, 'y'),
    ],
  ],
  'run --tmpfs takes options': [
    ['run --rm --tmpfs /t:size=64k,mode=700 IMG df -k /t', / 64 /],
  ],
  'run --shm-size sizes /dev/shm': [['run --rm --shm-size 32m IMG df -k /dev/shm', / 32768 /]],
  'run --init puts an init first': [
    [`run --rm --init IMG cat /proc/1/comm`, /init/],
  ],
  'run --entrypoint replaces the image’s': [
    ['run --rm --entrypoint echo IMG a b', 'a b'],
  ],
  'run --ulimit sets limits': [
    [`run --rm --ulimit nofile=100:200 IMG sh -c 'ulimit -Sn; ulimit -Hn'`, '100\n200'],
  ],
  'run --sysctl writes into the namespace': [
    [
      'run --rm --sysctl net.ipv4.ip_default_ttl=99 IMG cat /proc/sys/net/ipv4/ip_default_ttl',
      '99',
    ],
  ],
  'run --cap-drop ALL takes all': [
    ['run --rm --cap-drop ALL IMG grep CapEff /proc/self/status', 'CapEff:\t0000000000000000'],
  ],
  'run --cap-add gives more than the default': [
    ['run --rm IMG grep CapEff /proc/self/status', 'CapEff:\t00000000a80425fb'],
    ['run --rm --cap-add NET_ADMIN IMG grep CapEff /proc/self/status', 'CapEff:\t00000000a80435fb'],
  ],
  'run refuses an unknown capability': [
    [
      'run --rm --cap-add NO_SUCH IMG true',
      fails(125, /invalid CapAdd: unknown capability: "CAP_NO_SUCH"/),
    ],
  ],
  'run --privileged sees devices': [['run --rm --privileged IMG ls /dev/kmsg', '/dev/kmsg']],
  'run --device adds one': [
    ['run --rm --device /dev/null:/dev/mine IMG ls /dev/mine', '/dev/mine'],
  ],
  'run --security-opt no-new-privileges is seen': [
    [
      'run --rm --security-opt no-new-privileges IMG grep NoNewPrivs /proc/self/status',
      'NoNewPrivs:\t1',
    ],
  ],
  'run filters system calls unless unconfined': [
    [`run --rm IMG grep Seccomp: /proc/self/status`, 'Seccomp:\t2'],
    [
      'run --rm --security-opt seccomp=unconfined IMG grep Seccomp: /proc/self/status',
      'Seccomp:\t0',
    ],
  ],
  'run --pid host sees the host’s processes': [
    [`run --rm --pid host IMG sh -c 'test $$ -gt 1 && echo many'`, 'many'],
  ],
  'run --pid container: joins': [
    ['run -d --name @a IMG sleep 61'],
    ['run --rm --pid container:@a IMG ps', /sleep 61/],
  ],
  'run --network container: shares its addresses': [
    ['run -d --name @a -h shared IMG sleep 60'],
    ['run --rm --network container:@a IMG hostname', 'shared'],
  ],
  'run --network none has only lo': [
    [`run --rm --network none IMG ls /sys/class/net`, 'lo'],
  ],
  'run --ipc and --uts host': [
    ['run -d --name @a --ipc shareable IMG sleep 60'],
    [`run --rm --ipc container:@a --uts host IMG echo joined`, 'joined'],
  ],
  'run --oom-score-adj is written': [
    ['run --rm --oom-score-adj 500 IMG cat /proc/self/oom_score_adj', '500'],
  ],
  'run -v binds a host folder, and makes a missing one': [
    [`run --rm -v /tmp/@dir:/x IMG sh -c 'echo y > /x/f'`, ''],
    ['run --rm -v /tmp/@dir:/x:ro IMG cat /x/f', 'y'],
    [`run --rm -v /tmp/@dir:/x:ro IMG sh -c 'touch /x/g'`, fails(1, /Read-only file system/)],
    ['run --rm -v /tmp:/t IMG rm -r /t/@dir', ''],
  ],
  'run --mount type=bind refuses a missing source': [
    [
      'run --rm --mount type=bind,src=/no/such,dst=/x IMG',
      fails(125, /bind source path does not exist: \/no\/such/),
    ],
  ],
  'run --mount type=tmpfs': [
    ['run --rm --mount type=tmpfs,dst=/x,tmpfs-size=65536 IMG df -k /x', / 64 /],
  ],
  'run --volumes-from takes the mounts': [
    [`run --name @a -v @v:/data IMG sh -c 'echo kept > /data/f'`],
    ['run --rm --volumes-from @a:ro IMG cat /data/f', 'kept'],
  ],
  'run copies what the image has into a new volume': [
    ['run --rm -v @v:/www IMG ls /www', 'index.html'],
    ['run --rm -v @v:/x:ro IMG ls /x', 'index.html'],
  ],
  'run -p publishes, run -P publishes what is exposed': [
    ['run -d --name @a -p 127.0.0.1::80 IMG httpd -f -h /www'],
    ['port @a', /^80\/tcp -> 127\.0\.0\.1:\d+$/],
    ['run -d --name @b --expose 80 -P IMG httpd -f -h /www'],
    ['port @b 80', /^0\.0\.0\.0:\d+/],
  ],
  'run --stop-signal and --stop-timeout are kept': [
    ['create --name @a --stop-signal SIGUSR1 --stop-timeout 3 IMG'],
    [`inspect -f '{{.Config.StopSignal}} {{.Config.StopTimeout}}' @a`, 'SIGUSR1 3'],
  ],
  'run --restart on-failure tries again': [
    [`run -d --name @a --restart on-failure:2 IMG false`],
    [`~ inspect -f '{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}' @a`, '2 exited 1'],
  ],
  'run --restart and --rm do not go together': [
    ['run --rm --restart always IMG', fails(125, /[Cc]onflicting options: .*restart.*rm/)],
  ],
  'run -l and --label-file label': [
    ['create --name @a -l a=1 -l b IMG'],
    ['inspect -f \'{{index .Config.Labels "a"}}{{json .Config.Labels}}\' @a', '1{"a":"1","b":""}'],
  ],
  'run -m, --cpus, --pids-limit are kept': [
    ['create --name @a -m 32m --cpus 0.5 --pids-limit 50 IMG'],
    [
      `inspect -f '{{with .HostConfig}}{{.Memory}} {{.MemorySwap}} {{.NanoCpus}} ` +
        `{{.PidsLimit}}{{end}}' @a`,
      '33554432 67108864 500000000 50',
    ],
  ],
  'run refuses two ways to limit the CPU': [
    [
      'run --rm --cpus 1 --cpu-quota 1000 IMG',
      fails(125, /Conflicting options: Nano CPUs and CPU Quota/),
    ],
  ],
  'run -a stdout shows only that': [
    [`run --rm -a stdout IMG sh -c 'echo o; echo e >&2'`, { code: 0, out: 'o', err: '' }],
  ],
  'run refuses a bad platform': [
    [
      'run --rm --pull never --platform linux/riscv64 IMG true',
      fails(125, /does not provide the specified platform|does not match the specified platform/),
    ],
  ],
});
