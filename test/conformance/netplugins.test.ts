/** One suite for every network driver: what the interface promises, on the real kernel. */
import { closeSync } from 'node:fs';
import { test } from 'tap';
import { bench, drivers, networkSpec, sleeper } from '../support/netplugin-bench.js';
import { inPrivateNetns } from '../support/private-netns.js';

function suite(driver: string): void {
  test(`${driver}: making and removing a network twice is as good as once`, async (t) => {
    const { plugin, netlink, network } = await bench(t, driver);
    plugin.validate(network);
    await plugin.createNetwork(network);
    await plugin.createNetwork(network);
    await plugin.removeNetwork(network);
    await plugin.removeNetwork(network);
    const [links] = await netlink.run([{ do: 'links' }]);
    t.notOk(links.some(({ name }) => name === network.linkName));
  });

  test(`${driver}: joining gives the addresses and leaving takes the links away`, async (t) => {
    const { plugin, netlink, network, endpoint } = await bench(t, driver);
    const target = await sleeper(t);
    const own = endpoint(7);
    await plugin.createNetwork(network);
    await plugin.join(network, own, { pid: target.pid });
    await plugin.join(network, own, { pid: target.pid });
    const [addresses] = await netlink.run([{ do: 'addresses', netns: { pid: target.pid } }]);
    for (const address of own.addresses) {
      t.ok(addresses.some(({ cidr }) => cidr === address), address);
    }
    const { released } = await plugin.leave(network, own, 'live');
    await released;
    const [links] = await netlink.run([{ do: 'links', netns: { pid: target.pid } }]);
    t.equal(links.length, 1, 'only lo is left');
    await (await plugin.leave(network, own, 'live')).released;
  });

  test(`${driver}: a namespace that nobody is in yet is as good`, async (t) => {
    const { plugin, netlink, network, endpoint } = await bench(t, driver);
    const own = endpoint(9);
    await plugin.createNetwork(network);
    const [fd] = await netlink.run([{ do: 'makeNetns' }]);
    await plugin.join(network, own, { fd });
    await plugin.join(network, own, { fd });
    const [addresses] = await netlink.run([{ do: 'addresses', netns: { fd } }]);
    for (const address of own.addresses) {
      t.ok(addresses.some(({ cidr }) => cidr === address), address);
    }
    closeSync(fd);
    const { released } = await plugin.leave(network, own, 'dying');
    await released;
  });

  test(`${driver}: addresses return when the namespace has died`, async (t) => {
    const { plugin, netlink, network, endpoint } = await bench(t, driver);
    const target = await sleeper(t);
    const own = endpoint(8);
    await plugin.createNetwork(network);
    const [before] = await netlink.run([{ do: 'links' }]);
    await plugin.join(network, own, { pid: target.pid });
    await target.end();
    const { released } = await plugin.leave(network, own, 'dying');
    await released;
    const [after] = await netlink.run([{ do: 'links' }]);
    t.equal(after.length, before.length);
  });

  test(`${driver}: unpublishing what was never published is no error`, async (t) => {
    const { plugin, endpoint } = await bench(t, driver);
    await plugin.unpublish(endpoint(9).id);
  });

  test(`${driver}: reconcile removes what nobody knows and keeps the living`, async (t) => {
    const { plugin, netlink, network, endpoint } = await bench(t, driver);
    const stranger = networkSpec(driver);
    const target = await sleeper(t);
    const own = endpoint(10);
    await plugin.createNetwork(network);
    await plugin.createNetwork(stranger);
    await plugin.join(network, own, { pid: target.pid });
    const [before] = await netlink.run([{ do: 'links' }]);
    await plugin.reconcile({
      networks: [network], endpoints: [{ network, endpoint: own, ports: [] }],
    });
    const [after] = await netlink.run([{ do: 'links' }]);
    t.equal(after.length, before.length - (stranger.linkName === '' ? 0 : 1));
    t.notOk(after.some(({ name }) => name !== '' && name === stranger.linkName));
  });
}

if (inPrivateNetns(import.meta.url)) {
  for (const driver of Object.keys(drivers)) suite(driver);
}
