import { cliChecks, fails, joined } from '../../support/cli-table.js';

const id = /^[0-9a-f]{64}$/;
const server = 'httpd -f -h /www';
const page = 'Hello from a container of tsdocker.';

cliChecks({
  'a link on the default bridge sets variables, in exec too': [
    ['run -d --name @a --network bridge --expose 80 -e FOO=bar IMG sleep 600'],
    [
      `run -d --name @b --network bridge --link @a:my-db IMG sh -c 'env; sleep 600'`,
    ],
    [
      `exec @b sh -c 'echo $MY_DB_PORT $MY_DB_PORT_80_TCP_PORT $MY_DB_NAME $MY_DB_ENV_FOO'`,
      /^tcp:\/\/[\d.]+:80 80 \/@b\/my-db bar$/,
    ],
    ['logs @b', /MY_DB_PORT_80_TCP_ADDR=[\d.]+\n/],
  ],
  'network create prints the id, ls shows it': [
    ['network create @n', id],
    [`network ls --filter name=@n --format '{{.Name}} {{.Driver}} {{.Scope}}'`, '@n bridge local'],
    ['network ls -q --filter name=@n', /^[0-9a-f]{12}$/],
    ['network ls -q --no-trunc --filter name=@n', id],
  ],
  'network ls prints a table with bridge, host and none': [
    [
      'network ls',
      joined(
        /^NETWORK ID +NAME +DRIVER +SCOPE\n[^]*bridge +bridge +local[^]*host +host +local[^]*/,
        /none +null +local/,
      ),
    ],
  ],
  'network ls filters by driver, type, label and id': [
    ['network create --label a=b @n'],
    [
      'network ls --filter label=a=b --filter name=@n --filter type=custom --format {{.Name}}',
      '@n',
    ],
    ['network ls --filter driver=null --format {{.Name}}', 'none'],
    ['network ls --filter type=builtin -q --filter name=@n', ''],
    ['network ls --filter no-such=x', fails(1, /invalid filter 'no-such'/)],
  ],
  'network ls filters dangling ones': [
    ['network create @n'],
    ['network ls --filter dangling=true --filter name=@n --format {{.Name}}', '@n'],
  ],
  'network create takes subnet, gateway, range, options, labels': [
    [
      'network create --subnet 10.99.77.0/24 --gateway 10.99.77.254 --ip-range ' +
        '10.99.77.128/25 --aux-address x=10.99.77.129 --internal --label a=b -o ' +
        'com.docker.network.driver.mtu=1400 @n',
    ],
    [
      `network inspect -f '{{.Internal}} {{.Labels}} {{json .Options}} {{range ` +
        `.IPAM.Config}}{{.Subnet}} {{.Gateway}} {{.IPRange}} {{.AuxiliaryAddresses}}{{end}}' @n`,
      'true map[a:b] {"com.docker.network.driver.mtu":"1400"} 10.99.77.0/24 10.99.77.254 ' +
        '10.99.77.128/25 map[x:10.99.77.129]',
    ],
    [`run --rm --network @n IMG cat /sys/class/net/eth0/mtu`, '1400'],
    [`run --rm --network @n IMG ip -4 addr show eth0`, /inet 10\.99\.77\.1(28|[3-9]\d)\/24/],
  ],
  'network create refuses a name in use': [
    ['network create @n'],
    ['network create @n', fails(1, /network with name @n already exists/)],
  ],
  'network create refuses an overlap and a bad subnet': [
    ['network create --subnet 10.99.78.0/24 @n'],
    [
      'network create --subnet 10.99.78.0/25 @m',
      fails(1, /Pool overlaps with other one on this address space/),
    ],
    ['network create --subnet nonsense @m', fails(1, /invalid (CIDR address|subnet)/)],
  ],
  'network create refuses an unknown driver': [
    [
      'network create -d no-such @n',
      fails(1, /plugin "no-such" not found|could not find plugin no-such/),
    ],
  ],
  'network create refuses names of the engine’s own': [
    [
      'network create bridge',
      fails(1, /operation is not permitted on predefined bridge network|already exists/),
    ],
  ],
  'network inspect shows who is in it': [
    ['network create @n'],
    ['run -d --name @a --network @n IMG sleep 600'],
    [
      `network inspect -f '{{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}}' @n`,
      /^@a \d+\.\d+\.\d+\.2\/\d+$/,
    ],
    ['network inspect @m', fails(1, /network @m not found/, '[]')],
  ],
  'network rm prints the name, and refuses one in use': [
    ['network create @n'],
    ['run -d --name @a --network @n IMG sleep 600'],
    ['network rm @n', fails(1, /network @n id [0-9a-f]{64} has active endpoints/)],
    ['rm -f @a'],
    ['network rm @n', '@n'],
    ['network rm @n', fails(1, /network @n not found/)],
  ],
  'network rm -f of a missing one is no error': [['network rm -f @n', { code: 0 }]],
  'network rm refuses the engine’s own': [
    ['network rm bridge', fails(1, /bridge is a pre-defined network and cannot be removed/)],
  ],
  'names are resolved on a network of one’s own': [
    ['network create @n'],
    [`run -d --name @a --network @n IMG ${server}`],
    ['run --rm --network @n IMG wget -qO- http://@a/', page],
  ],
  'names are not resolved on the default bridge': [
    [`run -d --name @a IMG ${server}`],
    ['run --rm IMG wget -qO- http://@a/', fails(1, /bad address|Temporary failure/)],
  ],
  'aliases are resolved, of one network only': [
    ['network create @n'],
    ['network create @m'],
    [`run -d --name @a --network @n --network-alias web IMG ${server}`],
    ['run --rm --network @n IMG wget -qO- http://web/', page],
    ['run --rm --network @m IMG wget -qO- http://web/', fails(1)],
  ],
  'an alias of several has the address of each': [
    ['network create @n'],
    ['run -d --name @a --network @n --network-alias web IMG sleep 600'],
    ['run -d --name @b --network @n --network-alias web IMG sleep 600'],
    [
      `run --rm --network @n IMG nslookup web`,
      /Address.*: *\d+\.\d+\.\d+\.2[^]*Address.*: *\d+\.\d+\.\d+\.3|\.3[^]*\.2/,
    ],
  ],
  'run --ip takes an address, a second one is refused': [
    ['network create --subnet 10.99.79.0/24 @n'],
    ['run -d --name @a --network @n --ip 10.99.79.77 IMG sleep 600'],
    [`inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' @a`, '10.99.79.77'],
    ['run --name @b --network @n --ip 10.99.79.77 IMG true', fails(125, /Address already in use/)],
  ],
  'run --ip on the default bridge is refused': [
    [
      'run --name @b --network bridge --ip 172.17.0.99 IMG true',
      fails(125, /user specified IP address is supported on user defined networks only/),
    ],
  ],
  'run --mac-address is seen': [
    [
      'run --rm --mac-address 02:42:00:11:22:33 IMG cat /sys/class/net/eth0/address',
      '02:42:00:11:22:33',
    ],
  ],
  'network connect and disconnect while it runs': [
    ['network create @n'],
    ['run -d --name @a IMG sleep 600'],
    ['network connect --alias more @n @a', ''],
    ['exec @a ls /sys/class/net', 'eth0\neth1\nlo'],
    ['run --rm --network @n IMG ping -c 1 -W 2 more', /1 packets received/],
    ['network disconnect @n @a', ''],
    ['exec @a ls /sys/class/net', 'eth0\nlo'],
    [
      'network disconnect @n @a',
      fails(1, /container [0-9a-f]{64} is not connected to (the )?network @n/),
    ],
  ],
  'network connect twice is refused': [
    ['network create @n'],
    ['run -d --name @a --network @n IMG sleep 600'],
    ['network connect @n @a', fails(1, /endpoint with name @a already exists in network @n/)],
  ],
  'network connect before the start': [
    ['network create @n'],
    ['network create @m'],
    ['create --name @a --network @n IMG sleep 600'],
    [
      'network connect --ip 10.0.0.1 @m @a',
      fails(
        1,
        joined(
          /user specified IP address is supported only when connecting to networks with user /,
          /configured subnets/,
        ),
      ),
    ],
    ['network connect @m @a', ''],
    ['start @a'],
    ['exec @a ls /sys/class/net', 'eth0\neth1\nlo'],
  ],
  'network connect of host is refused': [
    ['run -d --name @a IMG sleep 600'],
    [
      'network connect host @a',
      fails(1, /container cannot be disconnected from host network or connected to host network/),
    ],
  ],
  'network disconnect -f': [
    ['network create @n'],
    ['run -d --name @a --network @n IMG sleep 600'],
    ['network disconnect -f @n @a', ''],
    ['network rm @n', '@n'],
  ],
  'network prune takes unused ones, by label': [
    ['network create --label @l @n'],
    ['network create --label @l @m'],
    ['run -d --name @a --network @m IMG sleep 600'],
    ['network prune -f --filter label=@l', 'Deleted Networks:\n@n'],
    ['network ls --filter label=@l --format {{.Name}}', '@m'],
  ],
  'an internal network has no way out': [
    ['network create --internal @n'],
    ['run --rm --network @n IMG ip route', /^(?!default)[\d.]+\/\d+ dev eth0/],
  ],
  'published ports answer on the host': [
    ['run -d --name @a -p 127.0.0.1:18081:80 IMG httpd -f -h /www'],
    ['run --rm --network host IMG wget -qO- http://127.0.0.1:18081/', page],
    [
      'run --name @b -p 127.0.0.1:18081:80 IMG true',
      fails(125, /Bind for 127\.0\.0\.1:18081 failed: port is already allocated/),
    ],
    ['ps --filter publish=18081 --format {{.Names}}', '@a'],
    ['ps -q --filter name=@a --filter publish=80', ''],
    ['rm -f @a'],
    ['run --rm --network host IMG wget -qO- http://127.0.0.1:18081/', fails(1, /refused/)],
  ],
  'run --link of the default bridge is written into /etc/hosts': [
    [`run -d --name @a IMG ${server}`],
    ['run --rm --link @a:web IMG wget -qO- http://web/', page],
  ],
  'a container in two networks': [
    ['network create @n'],
    ['network create @m'],
    ['run -d --name @a --network @n --network @m IMG sleep 600'],
    ['exec @a ls /sys/class/net', 'eth0\neth1\nlo'],
  ],
  'network connect after none was disconnected': [
    ['network create @n'],
    ['create --name @a --network none IMG sleep 600'],
    ['network disconnect none @a'],
    ['network connect @n @a', ''],
    ['start @a'],
    ['exec @a ls /sys/class/net', 'eth0\nlo'],
  ],
});
