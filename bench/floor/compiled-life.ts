/** The one container of the engine that decides nothing, compiled as the daemon would. */
import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Sandbox } from '../../daemon/containers/needs.js';
import type { ContainerRecord } from '../../daemon/containers/record.js';
import { bundlePaths, configText } from '../../daemon/runtime/bundle.js';
import { openCgroups, type Cgroups } from '../../daemon/runtime/cgroup/index.js';
import { compileLaunch } from '../../daemon/runtime/compile.js';
import { groupPlaces } from '../../daemon/runtime/group-places.js';
import { readHostFacts } from '../../daemon/runtime/host-facts.js';
import { encodedLaunch, type EncodedLaunch } from '../../daemon/runtime/launch-template.js';
import type { OciConfig } from '../../daemon/runtime/oci.js';
import { installedFilter } from '../../daemon/runtime/seccomp/flags.js';
import { ociConfig } from '../../daemon/runtime/spec.js';
import type { MountRecipe } from '../../storage-drivers/driver.js';
import { rootIdOf } from '../../test/support/leaks.js';

/** What there is to know of it. */
export interface CompiledLife {
  readonly id: string;
  readonly record: ContainerRecord;
  readonly config: OciConfig;
  /** The same as JSON. */
  readonly text: string;
  readonly launch: EncodedLaunch;
  readonly cgroups: Cgroups;
}

/** Makes its image of busybox and its folders below `folder`; with links, its network is passed. */
export async function compiledLife(folder: string, hasLinks: boolean): Promise<CompiledLife> {
  const id = randomBytes(32).toString('hex');
  makeFolders(folder);
  const host = readHostFacts();
  const rootfs: MountRecipe = {
    kind: 'overlay',
    lowerdirs: [join(folder, 'lower')],
    upperdir: join(folder, 'layer', 'diff'),
    workdir: join(folder, 'layer', 'work'),
    volatile: false,
    options: ['index=off', 'metacopy=off', 'redirect_dir=off'],
    shortNames: { dir: folder, lowerdir: 'lower' },
  };
  const { bundle } = bundlePaths(join(folder, 'data'), join(folder, 'x'), id);
  const record = recordOf(id);
  const config = ociConfig({
    request: {
      record, rootfs, mounts: [], joinPids: {}, sandbox: sandboxOf(id, bundle, hasLinks),
      image: { id: record.imageId, config: {}, layers: [], os: 'linux', architecture: 'amd64' },
      onCreated: () => Promise.resolve(), signal: AbortSignal.timeout(60_000),
    },
    host, user: { uid: 0, gid: 0, groups: [], home: '/root' },
    devices: [], deviceRules: [], blockDevices: new Map(), defaultUlimits: [],
    security: { noNewPrivileges: false, seccomp: 'builtin' },
    cgroupsPath: groupPlaces('cgroupfs', rootIdOf(join(folder, 'data'))).pathOf(record),
  });
  const cgroups = openCgroups(host.cgroups);
  const { seccomp } = config.linux;
  const text = configText(config);
  const launch = encodedLaunch(id, text, () => compileLaunch(config, {
    containerId: id, bundle, rootfs, cgroup: cgroups.open(config.linux.cgroupsPath).entry,
    stdin: false, stdinOnce: false, netnsIsPassed: hasLinks,
    hasKcore: host.hasKcore, isConfined: host.isConfined,
    ...(seccomp === undefined ? {} : { seccomp: installedFilter(seccomp) }),
    ...(host.hardLimits === undefined ? {} : { hardLimits: host.hardLimits }),
  }));
  return { id, record, config, text, launch, cgroups };
}

function makeFolders(folder: string): void {
  const lower = ['bin', 'dev', 'etc', 'proc', 'sys'].map((name) => join('lower', name));
  for (const name of [...lower, 'data/containers', 'x/s', 'trash']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  copyFileSync('/bin/busybox', join(folder, 'lower/bin/busybox'));
  symlinkSync('busybox', join(folder, 'lower/bin/true'));
}

function recordOf(id: string): ContainerRecord {
  return {
    id, name: id, createdAtMs: 0, imageId: `sha256:${id}`, imageName: 'bare', layers: [],
    config: {}, hostConfig: {}, path: '/bin/true', args: [], storageDriver: 'overlay', mounts: [],
    endpoints: {}, restartCount: 0, stoppedByUser: false, state: { status: 'created' },
  };
}

function sandboxOf(id: string, bundle: string, hasLinks: boolean): Sandbox {
  return {
    id, kind: hasLinks ? 'isolated' : 'none', hostname: id.slice(0, 12), domainname: '',
    hostsPath: join(bundle, 'hosts'), hostnamePath: join(bundle, 'hostname'),
    resolvConfPath: join(bundle, 'resolv.conf'),
    endpoints: {}, ports: {}, reservations: [],
  };
}
