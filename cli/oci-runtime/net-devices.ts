/** `$.linux.netDevices`: links of the runtime's network namespace that become the container's. */
import * as fs from 'node:fs';
import type { OciNetDevice } from '../../daemon/runtime/oci.js';
import { ErrnoError } from '../../native/errno-error.js';
import { createExecutor, type Executor } from '../../native/netlink/executor.js';
import type { Link, LinkAddress, Step } from '../../native/netlink/index.js';
import { insideNetns } from '../../native/netns.js';
import { OciError } from './oci-error.js';

/**
 * Moves each link into the namespace at `netnsPath`, under its new name, and brings it up there. It
 * keeps its hardware address, its MTU, and the lasting addresses of global scope, which the kernel
 * forgets on the way. Throws `OciError` with the link's place in the configuration.
 */
export function moveNetDevices(
  devices: Readonly<Record<string, OciNetDevice>>,
  netnsPath: string,
): void {
  const netnsFd = fs.openSync(netnsPath, fs.constants.O_RDONLY);
  const host = createExecutor();
  try {
    for (const [name, { name: rename = name }] of Object.entries(devices)) {
      move(host, { name, rename, netnsFd });
    }
  } finally {
    host.close();
    fs.closeSync(netnsFd);
  }
}

function move(
  host: Executor,
  link: { readonly name: string; readonly rename: string; readonly netnsFd: number },
): void {
  const { name, rename, netnsFd } = link;
  try {
    const addresses = addressesOf(host, name);
    insideNetns(netnsFd, () => refuseTaken(rename));
    host.run([{ do: 'setLink', ...link }]);
    insideNetns(netnsFd, () => bringUp(rename, addresses));
  } catch (error) {
    if (!(error instanceof ErrnoError)) throw error;
    throw new OciError(`config.json: $.linux.netDevices.${name}: ${error.message}`, error);
  }
}

/** Throws `ErrnoError`: ENODEV when there is no such link. */
function addressesOf(host: Executor, name: string): readonly string[] {
  // These two steps answer so: `Answers` in steps.ts.
  const [links, addresses] = host.run([{ do: 'links' }, { do: 'addresses' }]) as readonly [
    readonly Link[], readonly LinkAddress[],
  ];
  const link = links.find((each) => each.name === name);
  if (link === undefined) throw new ErrnoError('RTM_GETLINK', 'ENODEV', name);
  return addresses
    .filter(({ index, isGlobal, isPermanent }) => index === link.index && isGlobal && isPermanent)
    .map(({ cidr }) => cidr);
}

/** The kernel would move it first, and fail to name it then. */
function refuseTaken(link: string): void {
  const [present] = runHere([{ do: 'presentLinks', names: [link] }]);
  // An array of names: `Answers` in steps.ts.
  if ((present as readonly string[]).length > 0) {
    throw new ErrnoError('RTM_NEWLINK', 'EEXIST', link);
  }
}

function bringUp(link: string, addresses: readonly string[]): void {
  runHere([
    ...addresses.map((cidr) => ({ do: 'addAddress', link, cidr }) as const),
    { do: 'setLink', name: link, up: true },
  ]);
}

function runHere(steps: readonly Step[]): readonly unknown[] {
  const here = createExecutor();
  try {
    return here.run(steps);
  } finally {
    here.close();
  }
}
