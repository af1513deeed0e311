import { test } from 'tap';
import { portsOf } from '../../../cli/container/update.js';

const web = { '80/tcp': [{ HostIp: '', HostPort: '8080' }, { HostIp: '127.0.0.1', HostPort: '' }] };

test('ports are added to those that there are', (t) => {
  const added = { '80/tcp': [{ HostIp: '', HostPort: '8081' }], '53/udp': [{ HostPort: '53' }] };
  t.same(portsOf(web, { added, removed: {} }), {
    '80/tcp': [...web['80/tcp'], { HostIp: '', HostPort: '8081' }],
    '53/udp': [{ HostPort: '53' }],
  });
  t.end();
});

test('what is left out of a port that goes fits all', (t) => {
  const without = (binding: object) =>
    portsOf(web, { added: {}, removed: { '80/tcp': [binding] } });
  t.same(without({ HostIp: '', HostPort: '' }), {});
  t.same(without({ HostIp: '', HostPort: '8080' }), { '80/tcp': [web['80/tcp'][1]] });
  t.same(without({ HostIp: '127.0.0.1', HostPort: '' }), { '80/tcp': [web['80/tcp'][0]] });
  t.throws(
    () => without({ HostIp: '', HostPort: '9' }), { message: /80\/tcp is not published so/ });
  t.end();
});
