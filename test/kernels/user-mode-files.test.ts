/** Trees, layers, volumes and links on another kernel. */
import { holdUnderUserMode } from '../support/kernel-suites.js';

holdUnderUserMode([
  'integration/trees', 'integration/unpack', 'integration/volumes', 'conformance/netplugins',
  'conformance/bridge',
  // The stacks of 127 layers take minutes on that kernel's one processor: on demand.
  ...(process.env['TSDOCKER_KERNEL_SUITES'] === 'all' ? ['conformance/storage-drivers'] : []),
]);
