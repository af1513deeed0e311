/** A container's OCI bundle on disk: what another runtime, or a reader, finds there. */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { OciConfig, OciProcess } from './oci.js';

/** Where the pieces of a container are. */
export interface BundlePaths {
  readonly bundle: string;
  readonly rootfs: string;
  readonly config: string;
  /** The shim's word on how the process ended. */
  readonly exit: string;
  readonly socket: string;
}

const ROOTFS = 'rootfs';

/** Hex digits of the id in a socket's name: long names do not fit a socket's address. */
const SOCKET_NAME_DIGITS = 16;

/** By id alone: nothing is looked at. Roots are absolute, without a slash at the end. */
export function bundlePaths(dataRoot: string, execRoot: string, id: string): BundlePaths {
  const bundle = `${dataRoot}/containers/${id}`;
  return {
    bundle,
    rootfs: `${bundle}/${ROOTFS}`,
    config: `${bundle}/config.json`,
    exit: `${bundle}/exit`,
    socket: `${execRoot}/s/${id.slice(0, SOCKET_NAME_DIGITS)}`,
  };
}

const BUNDLE_MODE = 0o710;

/** Makes the bundle of a new container. Throws what `mkdir` does. */
export function makeBundle(bundle: string): void {
  mkdirSync(`${bundle}/${ROOTFS}`, { recursive: true, mode: BUNDLE_MODE });
}

/** Folders are there, traces of an earlier run are not. */
export function prepareBundle(paths: BundlePaths): void {
  const folder = paths.socket.slice(0, paths.socket.lastIndexOf('/'));
  if (!existsSync(paths.rootfs)) makeBundle(paths.bundle);
  if (!existsSync(folder)) mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const trace of [paths.exit, paths.socket]) {
    // Looking first is cheap; the error of a removal that finds nothing is not.
    if (existsSync(trace)) rmSync(trace, { force: true });
  }
}

const UNLIMITED = '18446744073709551615';

/**
 * A configuration, or a process alone, as JSON. No limit is 2^64 - 1 there, which no JavaScript
 * number is.
 */
export function configText(config: OciConfig | OciProcess): string {
  const text = JSON.stringify(config);
  // Most have none, and it is long.
  if (!text.includes('":-1')) return text;
  return text.replace(/("(?:soft|hard)":)-1\b/g, (_, key: string) => `${key}${UNLIMITED}`);
}

/** Writes config.json by rename. */
export function writeConfig(paths: BundlePaths, text: string): void {
  const temporary = `${paths.config}.new`;
  writeFileSync(temporary, text, { mode: 0o600 });
  renameSync(temporary, paths.config);
}
