/** The daemon itself, and a container through all of its layers, on Debian's own kernels. */
import { holdUnderCloudKernels } from '../support/kernel-suites.js';

holdUnderCloudKernels(['integration/whole-way']);
