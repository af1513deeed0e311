import type { HostFacts } from '../../daemon/runtime/host-facts.js';
import { capabilityNames } from '../../daemon/runtime/spec/capabilities.js';
import { namespaceTypes, seccompActions, seccompOperators } from './parse-linux.js';

/** The newest version of the specification that is read; older ones of 1.x are too. */
export const SPEC_VERSION = '1.2.0';

const mountOptions = [
  'async', 'atime', 'bind', 'defaults', 'dev', 'diratime', 'dirsync', 'exec', 'lazytime', 'mand',
  'noatime', 'nodev', 'nodiratime', 'noexec', 'nolazytime', 'nomand', 'nosuid', 'private',
  'rbind', 'relatime', 'rnoatime', 'rnodev', 'rnodiratime', 'rnoexec', 'rnosuid', 'ro',
  'rprivate', 'rro', 'rshared', 'rslave', 'rstrictatime', 'runbindable', 'rw', 'shared', 'slave',
  'strictatime', 'suid', 'sync', 'unbindable',
];

/** What this runtime does, as the runtime-spec's features document. Pure. */
export function features(host: HostFacts): object {
  const architectures =
    host.architecture === 'amd64' ? ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'] : ['SCMP_ARCH_AARCH64'];
  return {
    ociVersionMin: '1.0.0',
    ociVersionMax: SPEC_VERSION,
    hooks: ['prestart', 'createRuntime', 'poststart', 'poststop'],
    mountOptions,
    linux: {
      namespaces: namespaceTypes,
      capabilities: capabilityNames,
      cgroup: { v1: true, v2: true, systemd: false, systemdUser: false, rdma: false },
      seccomp: {
        enabled: true, actions: seccompActions, operators: seccompOperators, archs: architectures,
        knownFlags: [], supportedFlags: [],
      },
      apparmor: { enabled: host.apparmor },
      selinux: { enabled: false },
      intelRdt: { enabled: false },
      mountExtensions: { idmap: { enabled: false } },
    },
  };
}
