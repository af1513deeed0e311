/**
 * `--rootless`: the daemon of an ordinary user. It is a launch, not a mode: this process makes a
 * user namespace and what belongs to it, or finds those of an earlier daemon, enters them and
 * executes the daemon anew, the same pid. There the daemon is root, and works as root's does.
 */
import { chmodSync, closeSync, constants, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { execve } from '../../native/execve.js';
import { tryLockFile } from '../../native/file-lock.js';
import { encodeProgram } from '../../native/launch/encode.js';
import { builtFile } from '../../native/libc.js';
import type { DaemonConfig, Outside } from '../config/config.js';
import { findOrMakeHolder } from './holder.js';
import { holderPlaces } from './places.js';
import { entryProgram } from './programs.js';

/** Set in the daemon that is inside: the number of the descriptor that keeps the namespaces. */
const mark = 'TSDOCKERD_ROOTLESS';
/** As in `tsdockerd.cts`: it has executed itself once. */
const leanMark = 'TSDOCKERD_LEAN';
const firstFreeFd = 3;

/**
 * Undefined for one that has to be launched still. Takes the mark away, so that it is not passed
 * on, and the descriptor that came along is replaced by one that is not, either.
 */
export function arrivedInside(config: DaemonConfig): Outside | undefined {
  const passed = process.env[mark];
  if (passed === undefined || process.geteuid?.() !== 0) return undefined;
  Reflect.deleteProperty(process.env, mark);
  const { socket, alive } = holderPlaces(config.execRoot);
  const aliveFd = openSync(alive, constants.O_WRONLY);
  closeSync(Number(passed));
  return { socket, aliveFd };
}

/** Becomes the daemon inside; returns only by an error, in words for the user. */
export async function launchInside(config: DaemonConfig): Promise<never> {
  if (process.geteuid?.() === 0) {
    throw new Error('--rootless is for ordinary users, and this one is root: leave it out');
  }
  if (config.cgroupDriver === 'systemd') {
    throw new Error('--rootless has no native.cgroupdriver=systemd: its groups are its own');
  }
  const places = holderPlaces(config.execRoot);
  mkdirSync(places.folder, { recursive: true, mode: 0o700 });
  chmodSync(config.execRoot, 0o700);
  const lock = tryLockFile(places.lock);
  if (lock === undefined) throw new Error(`another tsdockerd is being started on ${places.folder}`);
  const holder = await findOrMakeHolder({
    places,
    warn: (message) => process.stderr.write(`tsdockerd: ${message}\n`),
  });
  const passedFds = Number(process.env['LISTEN_FDS'] ?? '0');
  const aliveFd = firstFreeFd + passedFds;
  const environment: Readonly<Record<string, string | undefined>> = {
    ...process.env, [mark]: String(aliveFd), [leanMark]: '1',
  };
  const program = entryProgram({
    places, pid: holder.pid, hasCgroup: holder.hasCgroup, aliveFd, workingDirectory: process.cwd(),
    path: process.execPath,
    argv: [process.execPath, ...process.execArgv, ...process.argv.slice(1)],
    env: Object.entries(environment).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}=${value}`]),
  });
  writeFileSync(places.entry, encodeProgram(program), { mode: 0o600 });
  execve({
    path: builtFile('tsdocker-shim'),
    argv: ['tsdocker-shim', 'run', places.entry, ...program.init.map(({ about = '' }) => about)],
    environment: {},
    lastFd: aliveFd - 1,
  });
}
