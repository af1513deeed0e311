/** All the mounts that a container asks for, by destination, with who wins where. Pure. */
import { invalidParameter } from '../../api-spec/errors.js';
import type { HostConfig, MountPoint } from '../../api-spec/index.js';
import { bindText, checkMode } from './bind-text.js';
import {
  checkTmpfsOptions,
  cleanDestination,
  type MountSpec,
  mountSpec,
  type TmpfsSpec,
  type VolumeSpec,
} from './mount-spec.js';

/** Where a mount comes from: asked for, taken from another container, or the image's `Volumes`. */
export type Planned =
  | { readonly from: 'user'; readonly spec: MountSpec }
  | { readonly from: 'container'; readonly point: MountPoint }
  | { readonly from: 'image'; readonly spec: VolumeSpec };

/** All places where mounts can be asked for. */
export interface PlanRequest {
  readonly hostConfig: HostConfig;
  /** `Config.Volumes`, of image and user. */
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly from: readonly { readonly mounts: readonly MountPoint[]; readonly mode: string }[];
}

/** `Binds` and `Mounts`, checked; a destination twice is refused (400), also beside `Tmpfs`. */
export function userSpecs(hostConfig: HostConfig): readonly MountSpec[] {
  const taken = new Set(tmpfsSpecs(hostConfig).map(({ destination }) => destination));
  const binds = (hostConfig.Binds ?? []).map((text) =>
    bindText(text, hostConfig.VolumeDriver ?? ''),
  );
  const specs = [...binds, ...(hostConfig.Mounts ?? []).map(mountSpec)];
  for (const { destination } of specs) {
    if (taken.has(destination)) throw invalidParameter(`Duplicate mount point: ${destination}`);
    taken.add(destination);
  }
  return specs;
}

/** What of each mount that is asked for is seen, by destination; empty for all of it. */
export function subpathsOf(hostConfig: HostConfig): Readonly<Record<string, string>> {
  return Object.fromEntries(userSpecs(hostConfig).map((spec) =>
    [spec.destination, 'subpath' in spec ? spec.subpath : ''],
  ));
}

/** `HostConfig.Tmpfs`, which inspect does not show among the mounts. */
export function tmpfsSpecs(hostConfig: HostConfig): readonly TmpfsSpec[] {
  return Object.entries(hostConfig.Tmpfs ?? {}).map(([path, options]) => ({
    type: 'tmpfs',
    destination: cleanDestination(path, invalidParameter),
    readonly: false,
    options: checkTmpfsOptions(options.split(',')),
  }));
}

/** What wins at each destination: the user, then other containers, then the image. */
export function planMounts(request: PlanRequest): readonly Planned[] {
  const planned = new Map<string, Planned>();
  for (const { mounts, mode } of request.from) {
    checkMode(mode);
    const readonly = mode.split(',').includes('ro');
    for (const point of mounts) {
      const shared = { ...point, RW: point.RW && !readonly };
      planned.set(point.Destination, { from: 'container', point: shared });
    }
  }
  for (const spec of userSpecs(request.hostConfig)) {
    planned.set(spec.destination, { from: 'user', spec });
  }
  const tmpfs = new Set(tmpfsSpecs(request.hostConfig).map(({ destination }) => destination));
  for (const path of Object.keys(request.volumes)) {
    const spec = imageVolume(path, request.hostConfig.VolumeDriver ?? '');
    if (planned.has(spec.destination) || tmpfs.has(spec.destination)) continue;
    planned.set(spec.destination, { from: 'image', spec });
  }
  return [...planned.values()];
}

function imageVolume(path: string, driver: string): VolumeSpec {
  const absolute = path.startsWith('/') ? path : `/${path}`;
  return {
    type: 'volume',
    name: '',
    destination: cleanDestination(absolute, invalidParameter),
    readonly: false,
    mode: '',
    copy: true,
    subpath: '',
    driver,
    driverOptions: {},
    labels: {},
  };
}
