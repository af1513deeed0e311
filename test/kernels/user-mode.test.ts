/** What the runtime promises holds on another kernel as well, with cgroup v2 alone. */
import { holdUnderUserMode } from '../support/kernel-suites.js';

holdUnderUserMode([
  'integration/shim', 'integration/shim-attach', 'integration/shim-faults', 'integration/shim-gate',
  'integration/runtime', 'integration/runtime-tasks', 'integration/host-config-kernel',
]);
