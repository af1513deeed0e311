import { test } from 'tap';
import { matchPorts, type Wanted } from '../../../daemon/networks/port-match.js';
import type { Reservation } from '../../../daemon/networks/ports.js';

function held(hostIp: string, hostPort: number, containerPort: number): Reservation {
  return {
    fd: 7, mapping: { protocol: 'tcp', hostIp, hostPort, containerIp: '10.0.0.2', containerPort },
  };
}

function wanted(containerPort: number, host: number, ...hostIps: readonly string[]): Wanted {
  return {
    request: {
      protocol: 'tcp', containerPort, hostIp: '', firstHostPort: host, lastHostPort: host,
    },
    places: hostIps.map((hostIp) => ({ hostIp, containerIp: '10.0.0.2' })),
  };
}

test('a port that is asked for again is the same reservation', (t) => {
  const before = [held('0.0.0.0', 8080, 80), held('::', 8080, 80)];
  const again = wanted(80, 8080, '0.0.0.0', '::');
  t.same([...matchPorts(before, [again]).values()], [before]);
  t.end();
});

test('one of the host\'s choosing keeps its number, unless somebody names it', (t) => {
  const before = [held('0.0.0.0', 32_770, 80)];
  const any = wanted(80, 0, '0.0.0.0');
  t.equal(matchPorts(before, [any]).get(any.request)?.[0], before[0]);
  const named = wanted(80, 32_770, '0.0.0.0');
  const found = matchPorts(before, [named, any]);
  t.equal(found.get(named.request)?.[0], before[0]);
  t.notOk(found.has(any.request));
  t.end();
});

test('a port that is to lead elsewhere keeps its socket', (t) => {
  const before = [held('0.0.0.0', 8080, 80)];
  const moved = wanted(81, 8080, '0.0.0.0');
  const [reservation] = matchPorts(before, [moved]).get(moved.request) ?? [];
  t.equal(reservation?.fd, 7);
  t.equal(reservation?.mapping.containerPort, 81);
  t.end();
});

test('other addresses are another port', (t) => {
  const before = [held('0.0.0.0', 8080, 80)];
  t.equal(matchPorts(before, [wanted(80, 8080, '127.0.0.1')]).size, 0);
  t.equal(matchPorts(before, [wanted(80, 8080, '0.0.0.0', '::')]).size, 0);
  t.end();
});
