import { cliChecks, fails, joined } from '../../support/cli-table.js';

const sleeper = 'run -d --name @a IMG sleep 600';

cliChecks({
  'ps shows the running ones, ps -a all': [
    [sleeper],
    ['create --name @b IMG'],
    ['ps --filter name=@ --format {{.Names}}', '@a'],
    ['ps -a --filter name=@ --format {{.Names}}', '@b\n@a'],
  ],
  'ps prints a table': [
    [sleeper],
    [
      'ps --filter name=@a',
      joined(
        /^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES\n[0-9a-f]{12} +IMG +/,
        /"sleep 600" +.* ago +Up .*@a$/,
      ),
    ],
  ],
  'ps -q prints short ids, --no-trunc long ones': [
    [sleeper],
    ['ps -q --filter name=@a', /^[0-9a-f]{12}$/],
    ['ps -q --no-trunc --filter name=@a', /^[0-9a-f]{64}$/],
  ],
  'ps -l and -n show the newest': [
    ['create --name @a IMG'],
    ['create --name @b IMG'],
    ['ps -n 2 --filter name=@ --format {{.Names}}', '@b\n@a'],
    ['ps -l --filter name=@a --format {{.Names}}', '@a'],
  ],
  'ps -s shows sizes': [
    [`run --name @a IMG sh -c 'head -c 5000 /dev/zero > /f'`],
    ['ps -as --filter name=@a --format {{.Size}}', /^5(\.\d+)?kB \(virtual [\d.]+[kM]B\)$/],
  ],
  'ps formats every field': [
    ['run -d --name @a -l x=1 -v @v:/d -p 127.0.0.1::80 --network bridge IMG sleep 600'],
    [
      `ps --filter name=@a --format '{{.Image}}|{{.Command}}|{{.Ports}}|{{.State}}|{{.Networks}}'`,
      /^IMG\|"sleep 600"\|127\.0\.0\.1:\d+->80\/tcp\|running\|bridge$/,
    ],
    [`ps --filter name=@a --format '{{.Labels}}|{{.Label "x"}}|{{.LocalVolumes}}'`, 'x=1|1|1'],
    ['ps --filter name=@a --format json', /^\{"Command":"\\"sleep 600\\"".*"Names":"@a"/],
  ],
  'ps filters by id, name and label': [
    ['run -d --name @a -l k=v -l only IMG sleep 600'],
    ['ps -q --filter label=only --filter label=k=v --filter name=^/@a$', /^[0-9a-f]{12}$/],
    ['ps -q --filter label=k=w --filter name=@a', ''],
  ],
  'ps filters by status and exited': [
    ['run --name @a IMG true'],
    ['run --name @b IMG false', fails(1)],
    ['~ ps -aq --filter name=@ --filter status=running', ''],
    ['ps -a --filter name=@ --filter exited=1 --format {{.Names}}', '@b'],
    ['ps -a --filter name=@ --filter status=exited --filter exited=0 --format {{.Names}}', '@a'],
  ],
  'ps filters by ancestor, volume and network': [
    ['network create @n'],
    ['run -d --name @a --network @n -v @v:/d IMG sleep 600'],
    ['ps --filter ancestor=IMG --filter network=@n --filter volume=@v --format {{.Names}}', '@a'],
    ['ps --filter ancestor=IMG --filter network=@n --filter volume=/d --format {{.Names}}', '@a'],
  ],
  'ps filters by before and since': [
    ['create --name @a IMG'],
    ['create --name @b IMG'],
    ['create --name @c IMG'],
    ['ps -a --filter name=@ --filter before=@b --format {{.Names}}', '@a'],
    ['ps -a --filter name=@ --filter since=@b --format {{.Names}}', '@c'],
  ],
  'ps filters by publish and expose': [
    ['run -d --name @a -p 127.0.0.1::8080 --expose 9999 IMG sleep 600'],
    ['ps --filter name=@a --filter publish=8080 --format {{.Names}}', ''],
    ['ps --filter name=@a --filter expose=9999 --format {{.Names}}', '@a'],
    ['ps --filter name=@a --filter expose=7777 --format {{.Names}}', ''],
  ],
  'ps refuses a filter that does not exist': [
    ['ps --filter no-such=1', fails(1, /invalid filter 'no-such'/)],
    ['ps --filter status=no-such', fails(1, /invalid filter 'status=no-such'/)],
  ],
  'inspect knows a name, an id and its beginning': [
    [sleeper],
    ['inspect -f {{.Name}} @a', '/@a'],
    ['container inspect -f {{.Name}} @a', '/@a'],
    ['inspect --type container -f {{.Name}} /@a', '/@a'],
  ],
  'inspect prints JSON': [
    [sleeper],
    ['inspect @a', /^\[\n {4}\{\n {8}"Id": "[0-9a-f]{64}",\n {8}"Created"/],
  ],
  'inspect -s adds sizes': [
    [`run --name @a IMG sh -c 'head -c 4096 /dev/zero > /f'`],
    [`inspect -s -f '{{.SizeRw}}' @a`, '4096'],
    [`inspect -f '{{.SizeRw}}' @a`, '<nil>'],
  ],
  'inspect of what does not exist fails': [
    ['inspect @a', fails(1, /No such object: @a/, '[]')],
    ['container inspect @a', fails(1, /No such container: @a/, '[]')],
    ['inspect --type image @a', fails(1, /No such image: @a/, '[]')],
    ['inspect --type network @a', fails(1, /network @a not found/, '[]')],
    ['inspect --type volume @a', fails(1, /get @a: no such volume/, '[]')],
  ],
  'inspect finds any kind of thing': [
    ['network create @n'],
    ['volume create @v'],
    ['inspect -f {{.Driver}} @n @v', 'bridge\nlocal'],
    ['inspect -f {{.Os}} IMG', 'linux'],
  ],
  'inspect shows what was asked for at create': [
    [
      'create --name @a -h box -u 7 -w /w -e X=1 --entrypoint /bin/sh --init --read-only ' +
        '--cap-add SYS_TIME --cap-drop KILL IMG -c true',
    ],
    [
      `inspect -f '{{with .Config}}{{.Hostname}} {{.User}} {{.WorkingDir}} {{.Entrypoint}} ` +
        `{{.Cmd}} {{.Image}}{{end}}' @a`,
      'box 7 /w [/bin/sh] [-c true] IMG',
    ],
    [
      `inspect -f '{{with .HostConfig}}{{.Init}} {{.ReadonlyRootfs}} {{.CapAdd}} ` +
        `{{.CapDrop}}{{end}}' @a`,
      'true true [CAP_SYS_TIME] [CAP_KILL]',
    ],
    [`inspect -f '{{.Path}} {{json .Args}}' @a`, '/bin/sh ["-c","true"]'],
  ],
  'inspect shows the defaults': [
    ['create --name @a IMG'],
    [
      `inspect -f '{{with .HostConfig}}{{.NetworkMode}} {{.IpcMode}} {{.LogConfig.Type}} ` +
        `{{.RestartPolicy.Name}} {{.ShmSize}}{{end}}' @a`,
      /^(default|bridge) private json-file no 67108864$/,
    ],
    [
      `inspect -f '{{json .HostConfig.PortBindings}} {{json .Mounts}} {{json ` +
        `.HostConfig.Binds}}' @a`,
      '{} [] null',
    ],
  ],
  'inspect shows the state': [
    [`run --name @a IMG sh -c 'exit 3'`, fails(3)],
    [
      `inspect -f '{{with .State}}{{.Status}} {{.Running}} {{.Paused}} {{.Restarting}} ` +
        `{{.OOMKilled}} {{.Dead}} {{.Pid}} {{.ExitCode}}{{.Error}}{{end}}' @a`,
      'exited false false false false false 0 3',
    ],
    [`inspect -f '{{.State.FinishedAt}}' @a`, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/],
  ],
  'inspect shows mounts': [
    ['create --name @a -v @v:/d:ro -v /tmp:/t IMG'],
    [
      `inspect -f '{{range .Mounts}}{{.Type}} {{.Destination}} {{.RW}} {{end}}' @a`,
      /^(volume \/d false bind \/t true|bind \/t true volume \/d false) ?$/,
    ],
  ],
  'inspect shows addresses': [
    [sleeper],
    [
      `inspect -f '{{range $n, $e := .NetworkSettings.Networks}}{{$n}} {{$e.IPAddress}} ` +
        `{{$e.Gateway}} {{$e.MacAddress}}{{end}}' @a`,
      /^bridge \d+\.\d+\.\d+\.\d+ \d+\.\d+\.\d+\.\d+ 02:42:[0-9a-f:]{11}$/,
    ],
    [`inspect -f '{{.NetworkSettings.IPAddress}}' @a`, /^\d+\.\d+\.\d+\.\d+$/],
    ['kill @a'],
    ['wait @a'],
    [`inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' @a`, ''],
  ],
  'inspect shows ports': [
    ['run -d --name @a -p 127.0.0.1::80 --expose 81 IMG sleep 600'],
    [
      `inspect -f '{{range $p, $b := .NetworkSettings.Ports}}{{$p}}={{range ` +
        `$b}}{{.HostIp}}:{{.HostPort}}{{end}} {{end}}' @a`,
      /^80\/tcp=127\.0\.0\.1:\d+ 81\/tcp= ?$/,
    ],
    [`inspect -f '{{json .Config.ExposedPorts}}' @a`, '{"80/tcp":{},"81/tcp":{}}'],
  ],
});
