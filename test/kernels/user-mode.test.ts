/** What the runtime promises holds on another kernel as well, with cgroup v2 alone. */
import { holdUnderUserMode } from '../support/kernel-suites.js';

holdUnderUserMode([
  'integration/shim', 'integration/shim-attach', 'integration/shim-borrowed',
  'integration/shim-faults', 'integration/shim-gate',
  'integration/runtime', 'integration/runtime-tasks', 'integration/host-config-kernel',
  'integration/oci-runtime', 'integration/oci-runtime-live', 'integration/oci-runtime-userns',
  'integration/oci-runtime-mounts', 'integration/oci-runtime-hooks',
  'integration/oci-runtime-seccomp', 'integration/oci-runtime-cgroups',
  'integration/oci-runtime-links', 'integration/oci-runtime-mount-namespace',
  'integration/apparmor', 'integration/apparmor-daemon', 'integration/oci-runtime-update',
  'integration/figures',
]);

holdUnderUserMode(['integration/oci-runtime-systemd'], { systemd: true });
