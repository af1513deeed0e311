import { test } from 'tap';
import { linkVariables } from '../../../daemon/networks/link-variables.js';

test('a link tells ports, ranges of them, its name and the variables, as Docker does', async (t) => {
  const told = linkVariables({
    alias: 'my-x',
    name: '/web/my-x',
    address: '172.17.0.2',
    config: {
      ExposedPorts: { '81/tcp': {}, '82/tcp': {}, '80/tcp': {}, '90/tcp': {}, '53/udp': {} },
      Env: ['FOO=bar=1', 'PATH=/bin', 'HOME=/h', 'BARE'],
    },
  });
  const each = (port: number, protocol: string): readonly string[] => {
    const name = `MY_X_PORT_${port}_${protocol.toUpperCase()}`;
    return [
      `${name}=${protocol}://172.17.0.2:${port}`,
      `${name}_ADDR=172.17.0.2`,
      `${name}_PORT=${port}`,
      `${name}_PROTO=${protocol}`,
    ];
  };
  t.same(told.toSorted(), [
    'MY_X_PORT=udp://172.17.0.2:53',
    'MY_X_PORT_80_TCP_START=tcp://172.17.0.2:80',
    'MY_X_PORT_80_TCP_PORT_START=80',
    'MY_X_PORT_80_TCP_END=tcp://172.17.0.2:82',
    'MY_X_PORT_80_TCP_PORT_END=82',
    ...each(53, 'udp'), ...each(80, 'tcp'), ...each(81, 'tcp'), ...each(82, 'tcp'),
    ...each(90, 'tcp'),
    'MY_X_NAME=/web/my-x',
    'MY_X_ENV_FOO=bar=1',
  ].toSorted());
});

test('two ports in a row are no range, and no port is no port', async (t) => {
  const link = { alias: 'a', name: '/b/a', address: '10.0.0.1' };
  const two = linkVariables({ ...link, config: { ExposedPorts: { '1/tcp': {}, '2/tcp': {} } } });
  t.notMatch(two.join('\n'), /_START|_END/);
  t.same(linkVariables({ ...link, config: {} }), ['A_NAME=/b/a']);
});
