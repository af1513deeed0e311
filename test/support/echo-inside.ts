import { createSocket } from 'node:dgram';
import { openNetlink } from '../../native/netlink/index.js';
import type { Test } from './daemon.js';

/** Answers what comes to UDP port 53 in the network namespace of a process, until the test ends. */
export async function echoInside(t: Test, pid: number): Promise<void> {
  const netlink = openNetlink();
  const [{ fd }] = await netlink.run([
    {
      do: 'openSocket', protocol: 'udp', listen: false, address: '0.0.0.0', port: 53,
      netns: { pid },
    },
  ]);
  await netlink.close();
  const echo = createSocket('udp4');
  echo.on('message', (bytes, from) => echo.send(bytes, from.port, from.address));
  echo.bind({ fd });
  t.teardown(() => void echo.close());
}
