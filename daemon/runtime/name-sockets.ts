/**
 * The sockets of a container's DNS server in its shim: what is asked while no daemon lives waits
 * there for the next one, instead of being told that nobody serves names.
 */
import { closeSync } from 'node:fs';
import { ErrnoError } from '../../native/errno-error.js';
import { firstInnerSlot, type Shim } from '../../native/shim/client.js';
import type { NameSockets } from './task.js';

const udpSlot = firstInnerSlot;
const tcpSlot = firstInnerSlot + 1;

/** See `TaskPorts.keepNames`. */
export async function keepNames(shim: Shim, { udpFd, tcpFd }: NameSockets): Promise<void> {
  await shim.addFd(udpSlot, udpFd);
  await shim.addFd(tcpSlot, tcpFd);
}

/** See `TaskPorts.keptNames`. */
export async function keptNames(shim: Shim): Promise<NameSockets | undefined> {
  // The last that was given: with it there are both.
  const tcpFd = await kept(shim, tcpSlot);
  if (tcpFd === undefined) return undefined;
  try {
    const udpFd = await kept(shim, udpSlot);
    if (udpFd !== undefined) return { udpFd, tcpFd };
  } catch (error) {
    closeSync(tcpFd);
    throw error;
  }
  closeSync(tcpFd);
  return undefined;
}

async function kept(shim: Shim, slot: number): Promise<number | undefined> {
  try {
    return await shim.getFd({ kind: 'slot', slot });
  } catch (error) {
    if (error instanceof ErrnoError && error.code === 'EBADF') return undefined;
    throw error;
  }
}
