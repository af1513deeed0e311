/** Where everything of one daemon is, and the name that all its kernel objects carry. */
import { createHash } from 'node:crypto';
import { mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

/** Absolute paths, all below the two roots; nobody else may spell them. */
export interface Layout {
  readonly dataRoot: string;
  readonly execRoot: string;
  /** First 8 hex digits of the SHA-256 of the data root's real path. */
  readonly rootId: string;
  readonly database: string;
  readonly storage: string;
  readonly containers: string;
  readonly volumes: string;
  readonly temporary: string;
  /** Caches of `RUN --mount`, and temporary files of builds. */
  readonly build: string;
  /** What steps of builds were granted, while they have it. */
  readonly secrets: string;
  /** Bundles on their way out. */
  readonly trash: string;
  /** A container's bundle: config.json, rootfs, hosts, log, exit. */
  bundle(id: string): string;
}

/** Makes the folders that are missing, none of them open to other users (CVE-2021-41091). */
export function openLayout(dataRoot: string, execRoot: string): Layout {
  const inData = (name: string): string => join(dataRoot, name);
  const layout = {
    dataRoot,
    execRoot,
    rootId: createHash('sha256').update(realpathSync(dataRoot)).digest('hex').slice(0, 8),
    database: inData('tsdocker.db'),
    storage: inData('storage'),
    containers: inData('containers'),
    volumes: inData('volumes'),
    temporary: inData('tmp'),
    build: inData('build'),
    secrets: join(execRoot, 'g'),
    trash: inData('trash'),
    bundle: (id: string): string => join(dataRoot, 'containers', id),
  };
  const folders = [
    layout.storage,
    layout.containers,
    layout.volumes,
    layout.temporary,
    layout.build,
    join(execRoot, 's'),
    join(execRoot, 'e'),
  ];
  for (const folder of folders) mkdirSync(folder, { recursive: true, mode: 0o710 });
  return layout;
}
