/** Links, addresses, rules and ports are the daemon's own work: it starts no program for them. */
import { execFileSync } from 'node:child_process';
import {
  existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import type { ContainerInspectResponse } from '../../api-spec/index.js';
import { output, run } from '../support/containers.js';
import { startDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';

/** What other engines call; the names of both halves of iptables among them. */
const programs = [
  'ip', 'bridge', 'tc', 'brctl', 'ifconfig', 'route', 'nft', 'iptables', 'ip6tables',
  'iptables-nft', 'iptables-legacy', 'iptables-restore', 'ip6tables-restore', 'xtables-nft-multi',
  'xtables-legacy-multi', 'ebtables', 'ipset', 'conntrack', 'sysctl', 'firewall-cmd', 'ufw',
  'docker-proxy',
];
const folders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** `trap PATH…`: lays a program over each, in a mount namespace of its own, and goes on. */
const layOver = 'while [ "$1" != -- ]; do mount --bind "$TRAP" "$1"; shift; done; shift; exec "$@"';

test('no program is started for networks and ports', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tsd-trap-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const told = join(folder, 'told');
  const trap = join(folder, 'trap');
  const path = join(folder, 'path');
  writeFileSync(told, '');
  writeFileSync(trap, `#!/bin/sh\necho "$0 $*" >>${told}\nexit 1\n`, { mode: 0o755 });
  mkdirSync(path);
  for (const name of programs) symlinkSync(trap, join(path, name));
  const installed = new Set(programs.flatMap((name) => folders
    .map((place) => join(place, name))
    .filter((found) => existsSync(found))
    .map((found) => realpathSync(found))));
  const daemon = await startDaemon(t, {
    through: ['unshare', '--mount', 'sh', '-ec', layOver, 'sh', ...installed, '--'],
    environment: { TRAP: trap, PATH: `${path}:${process.env['PATH'] ?? ''}` },
  });
  const { api } = daemon;
  await importDemoImage(api);

  const ports = { '80/tcp': [{ HostPort: '' }], '53/udp': [{ HostIp: '127.0.0.1', HostPort: '' }] };
  await api.post('/networks/create', { Name: 'team', EnableIPv6: true });
  await api.post('/networks/create', { Name: 'inner', Internal: true });
  const httpd = ['httpd', '-f', '-h', '/www'];
  const ids = [
    await run(daemon, { command: httpd, host: { PortBindings: ports } }),
    await run(daemon, {
      name: 'web', command: httpd, host: { PortBindings: ports, NetworkMode: 'team' },
    }),
  ];
  for (const id of ids) {
    const { NetworkSettings } = (await api.get(`/containers/${id}/json`))
      .json as ContainerInspectResponse;
    const port = NetworkSettings.Ports['80/tcp']?.[0]?.HostPort ?? '';
    t.match(await (await fetch(`http://127.0.0.1:${port}/`)).text(), /Hello/, 'it is served');
  }
  const asked = { command: ['wget', '-qO-', 'http://web/'], host: { NetworkMode: 'team' } };
  t.match(await output(daemon, asked), { code: 0, text: /Hello/ }, 'by its name');
  t.match(await api.post('/networks/inner/connect', { Container: 'web' }), { status: 200 });
  t.match(await api.post('/networks/inner/disconnect', { Container: 'web' }), { status: 200 });
  await daemon.kill9();
  await daemon.start();
  for (const id of ids) t.equal((await api.delete(`/containers/${id}?force=1`)).status, 204);
  for (const name of ['team', 'inner']) {
    t.equal((await api.delete(`/networks/${name}`)).status, 204);
  }
  t.equal(readFileSync(told, 'utf8'), '', 'nobody went into a trap');

  // And there were traps.
  const [one = trap] = installed;
  const inside = ['--target', String(daemon.pid()), '--mount', 'sh', '-c', `${one} x; ip y; true`];
  execFileSync('nsenter', inside, { env: { PATH: `${path}:${process.env['PATH'] ?? ''}` } });
  t.match(readFileSync(told, 'utf8'), / x\n.* y\n/);
});
