import os from 'node:os';
import type { SystemVersion } from '../../api-spec/index.js';

/**
 * The Docker Engine whose API and behaviour this one offers: clients compare it, so it is a version
 * of Docker's, with our own behind the plus (build metadata, which no comparison looks at).
 */
const compatibleVersion = '28.5.2';

/** What is fixed when the engine is built. */
export interface BuildFacts {
  /** Of package.json. */
  readonly engineVersion: string;
  readonly architecture: 'amd64' | 'arm64';
}

/** `28.5.2+tsdocker.0.1.0`. */
export function serverVersion({ engineVersion }: Pick<BuildFacts, 'engineVersion'>): string {
  return `${compatibleVersion}+tsdocker.${engineVersion}`;
}

/** Answer to SystemVersion; the API's own versions are filled in by whoever speaks it. */
export function describeVersion(build: BuildFacts): SystemVersion {
  const version = serverVersion(build);
  const facts = {
    GitCommit: 'none',
    GoVersion: `node-${process.version}`,
    Os: 'linux',
    Arch: build.architecture,
    KernelVersion: os.release(),
    BuildTime: '2026-01-01T00:00:00.000000000+00:00',
  };
  return {
    Platform: { Name: 'tsdocker' },
    Components: [
      { Name: 'Engine', Version: version, Details: { ...facts, Experimental: 'false' } },
      { Name: 'tsdocker', Version: build.engineVersion, Details: { Node: process.version } },
    ],
    Version: version,
    ApiVersion: '',
    MinAPIVersion: '',
    ...facts,
  };
}
