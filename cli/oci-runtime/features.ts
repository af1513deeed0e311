import { mountOptionNames } from '../../daemon/runtime/compile/mount-options.js';
import { memoryFlagNames, memoryModeNames } from '../../daemon/runtime/compile/schedule.js';
import type { HostFacts } from '../../daemon/runtime/host-facts.js';
import { capabilityNames } from '../../daemon/runtime/spec/capabilities.js';
import { seccompFlagNames } from '../../daemon/runtime/seccomp/flags.js';
import { namespaceTypes } from './parse-namespaces.js';
import { seccompActions, seccompOperators } from './parse-seccomp.js';

/** The newest version of the specification that is read; older ones of 1.x are too. */
export const SPEC_VERSION = '1.3.0';

/** What this runtime does, as the runtime-spec's features document. Pure. */
export function features(host: HostFacts): object {
  const architectures =
    host.architecture === 'amd64' ? ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'] : ['SCMP_ARCH_AARCH64'];
  return {
    ociVersionMin: '1.0.0',
    ociVersionMax: SPEC_VERSION,
    hooks: [
      'prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop',
    ],
    mountOptions: mountOptionNames,
    linux: {
      namespaces: namespaceTypes,
      capabilities: capabilityNames,
      cgroup: { v1: true, v2: true, systemd: true, systemdUser: false, rdma: true },
      seccomp: {
        enabled: true, actions: seccompActions, operators: seccompOperators, archs: architectures,
        knownFlags: seccompFlagNames, supportedFlags: seccompFlagNames,
      },
      apparmor: { enabled: host.apparmor },
      selinux: { enabled: false },
      intelRdt: { enabled: false },
      mountExtensions: { idmap: { enabled: true } },
      netDevices: { enabled: true },
      memoryPolicy: { modes: memoryModeNames, flags: memoryFlagNames },
    },
  };
}
