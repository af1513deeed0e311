import { test } from 'tap';
import type { HostConfig } from '../../../api-spec/index.js';
import {
  parsePort, portRequests, type PortRequest,
} from '../../../daemon/networks/port-requests.js';
import { createPortBook } from '../../../daemon/networks/ports.js';

const target = { containerIp: '10.0.0.2', defaultHostIp: '127.0.0.1' };

const request = (overrides: Partial<PortRequest> = {}): PortRequest => ({
  protocol: 'tcp', containerPort: 80, hostIp: '', firstHostPort: 0, lastHostPort: 0, ...overrides,
});

test('ports are read with their protocol, and nonsense is refused', (t) => {
  t.same(parsePort('80'), { port: 80, protocol: 'tcp' });
  t.same(parsePort('53/UDP'), { port: 53, protocol: 'udp' });
  // As in Docker, a number that is none is told without its protocol.
  const told = { 'x': 'x', '70000/tcp': '70000', '80-81/tcp': '80-81', '80/icmp': '80/icmp',
    '': '', '-1': '-1' };
  for (const [text, what] of Object.entries(told)) {
    t.throws(() => parsePort(text), { message: `invalid port specification: "${what}"` });
  }
  t.end();
});

test('bindings become requests; ranges stay ranges', (t) => {
  const hostConfig: HostConfig = {
    PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8000-8010' }, {}] },
  };
  t.same(portRequests({}, hostConfig), [
    request({ hostIp: '127.0.0.1', firstHostPort: 8000, lastHostPort: 8010 }), request(),
  ]);
  t.throws(() => portRequests({}, { PortBindings: { '80/tcp': [{ HostIp: 'host' }] } }), {
    message: 'invalid IP address in port binding: host',
  });
  t.throws(() => portRequests({}, { PortBindings: { '80/tcp': [{ HostPort: '9-8' }] } }));
  t.end();
});

test('PublishAllPorts adds what is exposed and not bound', (t) => {
  const config = { ExposedPorts: { '80/tcp': {}, '81/tcp': {} } };
  const hostConfig: HostConfig = {
    PublishAllPorts: true, PortBindings: { '80/tcp': [{ HostPort: '8080' }] },
  };
  t.same(portRequests(config, hostConfig).map(({ containerPort, firstHostPort }) =>
    [containerPort, firstHostPort]), [[80, 8080], [81, 0]]);
  t.end();
});

test('a port that is given is not given again until it is free', (t) => {
  const book = createPortBook();
  const held = book.reserve([request()], target);
  t.teardown(() => book.free(held));
  const [first] = held;
  const port = first?.mapping.hostPort ?? 0;
  const again = request({ firstHostPort: port, lastHostPort: port });
  t.throws(() => book.reserve([again], target), {
    message: `Bind for 127.0.0.1:${port} failed: port is already allocated`,
  });
  t.throws(() => book.reserve([{ ...again, hostIp: '0.0.0.0' }], target), /already allocated/);
  book.free(held);
  const next = book.reserve([again], target);
  book.free(next);
  t.end();
});

test('a range gives its first free port, and all or none are taken', (t) => {
  const book = createPortBook();
  const held = book.reserve([request()], target);
  t.teardown(() => book.free(held));
  const port = held[0]?.mapping.hostPort ?? 0;
  const inRange = book.reserve([request({ firstHostPort: port, lastHostPort: port + 20 })], target);
  t.ok((inRange[0]?.mapping.hostPort ?? 0) > port);
  book.free(inRange);
  const fixed = request({ firstHostPort: port, lastHostPort: port });
  t.throws(() => book.reserve([request({ protocol: 'udp' }), fixed], target));
  const udp = book.reserve([request({ protocol: 'udp' })], target);
  t.equal(udp.length, 1);
  book.free(udp);
  t.end();
});
