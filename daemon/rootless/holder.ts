/** The namespaces of a daemon without privileges: found again, or made. */
import { closeSync, constants, mkdirSync, openSync, rmSync, symlinkSync, writeSync } from 'node:fs';
import { ErrnoError, hasCode } from '../../native/errno-error.js';
import { makeFifo } from '../../native/fifo.js';
import { connect, launch } from '../../native/shim/client.js';
import { shimProgramFd } from '../../native/spawn.js';
import { claimGroup, clearGroup, joinGroupOf } from './group.js';
import { mapIds } from './id-maps.js';
import { connectNetwork } from './network.js';
import type { HolderPlaces } from './places.js';
import { holderProgram, MAPS, NETWORK, PROGRAM_SLOT } from './programs.js';
import { findTool } from './tools.js';

/** A daemon that is restarted comes back within it, also on a machine that is busy. */
const graceMs = 30_000;

/** Who holds them; `release` after the entry that it guards, or when there is none. */
export interface Holder {
  /** In the namespaces. */
  readonly pid: number;
  /** There is a cgroup namespace among them, and we are in its leaf. */
  readonly hasCgroup: boolean;
  readonly release: () => void;
}

/** What is needed to make them. */
export interface HolderRequest {
  readonly places: HolderPlaces;
  readonly warn: (message: string) => void;
}

/** Those that a daemon before us has left, with containers perhaps; else new ones. */
export async function findOrMakeHolder(request: HolderRequest): Promise<Holder> {
  return (await findHolder(request)) ?? makeHolder(request);
}

async function findHolder({ places, warn }: HolderRequest): Promise<Holder | undefined> {
  const fd = openIfRead(places.alive);
  if (fd === undefined) return undefined;
  const pid = await pidOf(places.socket);
  // The holder may have been about to go just then: who does not read is none.
  if (pid !== undefined && isRead(fd)) {
    return { pid, hasCgroup: await joinGroupOf(pid, warn), release: () => closeSync(fd) };
  }
  closeSync(fd);
  return undefined;
}

async function pidOf(socket: string): Promise<number | undefined> {
  try {
    const shim = await connect(socket);
    const { pid, started, exit } = await shim.hello();
    shim.disconnect();
    return started && exit === undefined ? pid : undefined;
  } catch (error) {
    if (error instanceof ErrnoError) return undefined;
    throw error;
  }
}

function openIfRead(fifo: string): number | undefined {
  try {
    return openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENXIO')) return undefined;
    throw error;
  }
}

function isRead(fifo: number): boolean {
  try {
    writeSync(fifo, '.');
    return true;
  } catch (error) {
    // Full of such bytes, which nobody takes out: somebody has it open.
    if (hasCode(error, 'EAGAIN')) return true;
    if (hasCode(error, 'EPIPE')) return false;
    throw error;
  }
}

async function makeHolder({ places, warn }: HolderRequest): Promise<Holder> {
  const pasta = findTool('pasta');
  const group = await claimGroup(warn);
  mkdirSync(places.folder, { recursive: true, mode: 0o700 });
  for (const path of [places.alive, places.network]) rmSync(path, { force: true });
  makeFifo(places.alive);
  const launching = await launch({
    program: holderProgram({ places, graceMs, ...(group === undefined ? {} : { group }) }),
    monitor: {
      socketPath: places.socket, exitPath: places.exit, stdio: { kind: 'none' },
      log: { kind: 'none' }, attach: { spillDir: places.folder, spillBytes: 0, stallMs: 1000 },
      drainMs: 0, oomFiles: [], killAtExit: [], keep: [],
    },
    passFds: new Map([[PROGRAM_SLOT, shimProgramFd()]]),
    onYield: async (token, pid) => {
      if (token === MAPS) await mapIds(pid);
      if (token !== NETWORK) return undefined;
      symlinkSync(`/proc/${pid}/ns/net`, places.network);
      await connectNetwork(pasta, pid, { places, warn });
      if (group !== undefined) await clearGroup(group);
      return undefined;
    },
  });
  await launching.open();
  launching.shim.disconnect();
  // Until there is one who reads.
  const fd = openSync(places.alive, constants.O_WRONLY);
  return { pid: launching.pid, hasCgroup: group !== undefined, release: () => closeSync(fd) };
}
