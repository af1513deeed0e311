/** Beside other firewalls: our bridges are let through, or it is told who keeps them from it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { test, type Test } from 'tap';
import { openNetlink, type Netlink } from '../../native/netlink/index.js';
import { output, run, until } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { hasNftables } from '../support/netplugin-bench.js';
import { inPrivateNetns, startSleeper } from '../support/private-netns.js';

/** Docker's chains as iptables-nft makes them: FORWARD drops, but for what DOCKER-USER takes. */
const docker = `table ip filter {
  chain DOCKER-USER { counter return; }
  chain FORWARD { type filter hook forward priority 0; policy drop;
    counter jump DOCKER-USER; }
}`;

/** Chains of ufw, as far as they matter. */
const ufw = `table ip filter {
  chain ufw-user-forward { }
  chain ufw-before-forward { ct state related,established counter accept;
    counter jump ufw-user-forward; }
  chain FORWARD { type filter hook forward priority 0; policy drop;
    counter jump ufw-before-forward; }
}`;

const plainDrop = `table ip filter {
  chain FORWARD { type filter hook forward priority 0; policy drop; }
}`;

async function netlinkOf(t: Test): Promise<Netlink> {
  const netlink = openNetlink();
  t.teardown(() => netlink.close());
  return Promise.resolve(netlink);
}

async function rules(t: Test, netlink: Netlink, text: string): Promise<void> {
  await netlink.run([{ do: 'nft', commands: text }]);
  t.teardown(async () => {
    const tolerate = ['ENOENT'];
    for (const table of ['ip filter', 'inet firewalld']) {
      await netlink.run([{ do: 'nft', commands: `delete table ${table}`, tolerate }]);
    }
  });
}

/** A host beyond ours: 10.255.0.2, which routes everything back to us. */
async function outside(t: Test, netlink: Netlink): Promise<void> {
  const sleeper = await startSleeper();
  const { pid } = sleeper;
  t.teardown(() => sleeper.end());
  await netlink.run([
    {
      do: 'addLink', kind: 'veth', name: 'out0', up: true,
      peer: { name: 'eth0', netns: { pid }, mac: '02:42:00:00:00:09' },
    },
    { do: 'addAddress', link: 'out0', cidr: '10.255.0.1/24' },
    { do: 'addAddress', link: 'eth0', cidr: '10.255.0.2/24', netns: { pid } },
    { do: 'setLink', name: 'eth0', up: true, netns: { pid } },
  ]);
  // By itself it goes a moment after its namespace, when the next test may want the name.
  t.teardown(() =>
    netlink.run([{ do: 'deleteLink', name: 'out0', tolerate: ['ENODEV'] }]));
}

async function reaches(daemon: TestDaemon, network: string): Promise<boolean> {
  const command = ['ping', '-c1', '-W2', '10.255.0.2'];
  return (await output(daemon, { command, host: { NetworkMode: network } })).code === 0;
}

async function warningsOf({ api }: TestDaemon): Promise<readonly string[] | null> {
  return (await api.get('/info')).json.Warnings as readonly string[] | null;
}

async function ready(t: Test, netlink: Netlink): Promise<TestDaemon> {
  await outside(t, netlink);
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  return daemon;
}

function facts(): void {
  for (const [name, text, chain] of [
    ['Docker', docker, 'DOCKER-USER'], ['ufw', ufw, 'ufw-user-forward'],
  ] as const) {
    test(`beside ${name}, which drops, containers reach the world`, async (t) => {
      const netlink = await netlinkOf(t);
      await rules(t, netlink, text);
      const daemon = await ready(t, netlink);
      t.equal(await reaches(daemon, 'bridge'), true);
      await daemon.api.post('/networks/create', { Name: 'later' });
      t.equal(await reaches(daemon, 'later'), true, 'from a network that was made later too');
      t.equal(await warningsOf(daemon), null);
      await netlink.run([{ do: 'nft', commands: `flush chain ip filter ${chain}` }]);
      await until('its rules were loaded anew and ours are back', () => reaches(daemon, 'bridge'));
      await daemon.api.delete('/networks/later');
      const [list] = await netlink.run([{ do: 'nft', commands: `list chain ip filter ${chain}` }]);
      t.notMatch(list, 'br-', 'a network that is gone has no rules there');
    });
  }

  test('a FORWARD that drops and has no place for others is told of', async (t) => {
    const netlink = await netlinkOf(t);
    await rules(t, netlink, plainDrop);
    const daemon = await ready(t, netlink);
    t.equal(await reaches(daemon, 'bridge'), false);
    t.match(await warningsOf(daemon), [/the policy of iptables's FORWARD is DROP.*iptables -I/]);
    t.match(daemon.log(), 'the policy of iptables\'s FORWARD is DROP');
    await netlink.run([{ do: 'nft', commands: 'delete table ip filter' }]);
    await until('it is gone', async () => (await warningsOf(daemon)) === null);
  });

  test('firewalld is told of with the words that let us through', async (t) => {
    const netlink = await netlinkOf(t);
    await rules(t, netlink, 'table inet firewalld { }');
    const daemon = await startDaemon(t);
    const [warning] = (await warningsOf(daemon)) ?? [];
    t.match(warning, `--zone=trusted --add-interface=${daemon.bridge}`);
  });

  test('--ip-forward=false leaves forwarding as it is, and that is told', async (t) => {
    const path = '/proc/sys/net/ipv4/ip_forward';
    writeFileSync(path, '0');
    const daemon = await startDaemon(t, { flags: ['--ip-forward=false'] });
    t.equal(readFileSync(path, 'utf8').trim(), '0');
    t.same(await warningsOf(daemon), ['WARNING: IPv4 forwarding is disabled']);
    await daemon.stop();
    await daemon.start('--ip-forward=true');
    t.equal(readFileSync(path, 'utf8').trim(), '1');
  });

  test('a --default-gateway outside of the bridge is refused at the start', async (t) => {
    const words = /invalid --default-gateway 192\.0\.2\.1: it is not in 10\./;
    await t.rejects(startDaemon(t, { flags: ['--default-gateway', '192.0.2.1'] }), words);
  });

  test('rules that a stranger flushed are back while ports go on answering', async (t) => {
    const netlink = await netlinkOf(t);
    const daemon = await startDaemon(t);
    await importDemoImage(daemon.api);
    await run(daemon, {
      command: ['httpd', '-f', '-h', '/www'],
      host: { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } },
    });
    const answers = async (): Promise<boolean> => {
      try {
        return (await fetch('http://127.0.0.1:8080/')).ok;
      } catch {
        return false;
      }
    };
    await until('the server answers', answers);
    await netlink.run([{ do: 'nft', commands: 'flush ruleset' }]);
    t.equal(await answers(), true, 'by the proxy');
    const startedAtMs = Date.now();
    await until('the table is back', async () => {
      await delay(50);
      const [tables] = await netlink.run([{ do: 'nft', commands: 'list tables' }]);
      return tables.includes(`tsdocker-${daemon.rootId}`);
    });
    t.ok(Date.now() - startedAtMs < 5000);
    t.equal(await answers(), true);
  });
}

if (inPrivateNetns(import.meta.url)) {
  if (await hasNftables()) facts();
  else test('firewalls', { skip: 'this kernel has no nftables' }, (t) => t.end());
}
