/** What an exec takes over from its container: what its bundle says by now may differ. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import type {
  NamespaceType, OciConfig, IdMapping, OciProcess, OciSeccomp,
} from '../../daemon/runtime/oci.js';
import { hasCode } from '../../native/errno-error.js';
import { OciError } from './oci-error.js';
import { folderOf } from './store.js';

/** The part of a configuration that execs need. */
export interface Basis {
  readonly process: OciProcess;
  /** Those that are not the host's. */
  readonly namespaces: readonly NamespaceType[];
  readonly uidMappings?: readonly IdMapping[];
  readonly seccomp?: OciSeccomp;
}

/** Pure. */
export function basisOf({ process, linux }: OciConfig): Basis {
  return {
    process,
    namespaces: linux.namespaces.map(({ type }) => type),
    ...(linux.uidMappings === undefined ? {} : { uidMappings: linux.uidMappings }),
    ...(linux.seccomp === undefined ? {} : { seccomp: linux.seccomp }),
  };
}

const pathOf = (root: string, id: string): string => join(folderOf(root, id), 'basis.json');

/** Before the record names a process. */
export function writeBasis(root: string, id: string, basis: Basis): void {
  fs.writeFileSync(pathOf(root, id), JSON.stringify(basis), { mode: 0o600 });
}

/** Throws `OciError` when the container is gone. */
export function readBasis(root: string, id: string): Basis {
  try {
    // Written by `writeBasis`.
    return JSON.parse(fs.readFileSync(pathOf(root, id), 'utf8')) as Basis;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) throw new OciError(`container does not exist: ${id}`, error);
    throw error;
  }
}
